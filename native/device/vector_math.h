// Logarithm, power of two, sine and cosine as plain arithmetic on one float, for loops of `*_simd.cc` files that the
// compiler turns into vectors. Good to a few units in the last place; see each for its range.
#pragma once
#include "device/simd.h"

namespace voxelspark {
SIMD_NAMESPACE(math) {

// wanted ? a : b without a branch: the compiler will not make one of arithmetic that could trap.
static VS_INLINE float choose(bool wanted, float a, float b) {
  const uint32_t mask = -static_cast<uint32_t>(wanted);
  return __builtin_bit_cast(float,
                            (__builtin_bit_cast(uint32_t, a) & mask) | (__builtin_bit_cast(uint32_t, b) & ~mask));
}

// log(1 + f) for sqrt(1/2) - 1 <= f <= sqrt(2) - 1, relative error of the polynomial 6e-9.
static VS_INLINE float log_near_one(float f) {
  float p = -0.0785925512f;
  p = p * f + 0.128815135f;
  p = p * f - 0.131288252f;
  p = p * f + 0.141812141f;
  p = p * f - 0.166245491f;
  p = p * f + 0.200022853f;
  p = p * f - 0.250008105f;
  p = p * f + 0.333333167f;
  const float square = f * f;
  return f + (square * f * p - 0.5f * square);
}

// x = 2^exponent (1 + fraction) with the fraction in the range of log_near_one; x normal and positive.
struct Split {
  int32_t exponent;
  float fraction;
};
static VS_INLINE Split split(float x) {
  const int32_t bits = __builtin_bit_cast(int32_t, x), root = 0x3f3504f3;  // sqrt(1/2)
  const int32_t exponent = (bits - root) >> 23;
  return {exponent, __builtin_bit_cast(float, bits - (exponent << 23)) - 1.0f};
}

// 2^y for -126 <= y <= 127; beyond, the value at the end of the range.
static VS_INLINE float power_of_two(float y) {
  y = choose(y < -126.0f, -126.0f, y);
  y = choose(y > 127.0f, 127.0f, y);
  const int32_t n = static_cast<int32_t>(y + 126.5f) - 126;  // the nearest
  const float r = y - static_cast<float>(n);
  float p = 1.52527338e-5f;  // (ln 2)^k / k!, k = 7, 6, …
  p = p * r + 1.54035304e-4f;
  p = p * r + 1.33335581e-3f;
  p = p * r + 9.61812911e-3f;
  p = p * r + 5.55041087e-2f;
  p = p * r + 2.40226507e-1f;
  p = p * r + 6.93147181e-1f;
  p = p * r + 1.0f;
  return p * __builtin_bit_cast(float, (n + 127) << 23);
}

// Sine and cosine of r with |r| <= pi / 4.
static VS_INLINE float sine_near_zero(float r) {
  const float s = r * r;
  return r + r * s * (-1.66666667e-1f + s * (8.33333333e-3f + s * (-1.98412698e-4f + s * 2.75573192e-6f)));
}
static VS_INLINE float cosine_near_zero(float r) {
  const float s = r * r;
  return 1.0f + s * (-0.5f + s * (4.16666667e-2f + s * (-1.38888889e-3f + s * (2.48015873e-5f - s * 2.75573192e-7f))));
}

// sqrt(s) for s >= 0 by three Newton steps on 1/sqrt(s): vector code without the library's errno.
static VS_INLINE float square_root(float s) {
  float y = __builtin_bit_cast(float, 0x5f3759df - (__builtin_bit_cast(int32_t, s) >> 1));
  const float half = 0.5f * s;
  for (int i = 0; i < 3; i++) y = y * (1.5f - half * y * y);
  return s * y;
}

}  // SIMD_NAMESPACE(math)
using namespace SIMD(math);
}  // namespace voxelspark
