// Many blocks side by side, one lane a block. Loops are plain so that the compiler makes vectors of them.
#include "device/vector_math.h"
#include "ops/gaussian_noise/simd.h"

namespace voxelspark {
SIMD_NAMESPACE(noise) {

constexpr int kBlocks = 32;
constexpr int kValues = 4 * kBlocks;

VS_INLINE void random_words(const NoiseStream& s, int64_t block, uint32_t w[4][kBlocks]) {
  uint32_t k0 = s.key[0], k1 = s.key[1];
  for (int l = 0; l < kBlocks; l++) {
    w[0][l] = static_cast<uint32_t>(block) + static_cast<uint32_t>(l);
    w[1][l] = s.step;
    w[2][l] = s.index;
    w[3][l] = s.purpose;
  }
  for (int round = 0; round < 10; round++) {
    for (int l = 0; l < kBlocks; l++) {
      const uint64_t p = uint64_t{0xd2511f53u} * w[0][l], q = uint64_t{0xcd9e8d57u} * w[2][l];
      w[0][l] = static_cast<uint32_t>(q >> 32) ^ w[1][l] ^ k0;
      w[1][l] = static_cast<uint32_t>(q);
      w[2][l] = static_cast<uint32_t>(p >> 32) ^ w[3][l] ^ k1;
      w[3][l] = static_cast<uint32_t>(p);
    }
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
}

// Unsigned conversion in two halves, each exact.
VS_INLINE float to_float(uint32_t w) {
  return static_cast<float>(static_cast<int32_t>(w >> 16)) * 65536.0f +
         static_cast<float>(static_cast<int32_t>(w & 0xffff));
}

// The value negated in the third and fourth quarter.
VS_INLINE float turned(float value, uint32_t quarter) {
  return __builtin_bit_cast(float, __builtin_bit_cast(uint32_t, value) ^ (quarter & 2) << 30);
}

// Box-Muller: radius from u = (a + 1/2) / 2^32, angle from b / 2^32 turns.
VS_INLINE void normal_pair(uint32_t a, uint32_t b, float& first, float& second) {
  const Split s = split(to_float(a) + 0.5f);
  // Close to u = 1 the logarithm is that of 1 - v, v being exact; a float of u would have lost it.
  const float v = (to_float(~a) + 0.5f) * 0x1p-32f;
  const float below = static_cast<float>(s.exponent - 32);
  const float log_u = below * 0.693147181f + log_near_one(choose(s.exponent == 32, -v, s.fraction));
  const float radius = square_root(-2.0f * log_u);
  const uint32_t quarter = (b + 0x20000000u) >> 30;
  const float r = static_cast<float>(static_cast<int32_t>(b - (quarter << 30))) * (1.57079633f * 0x1p-30f);
  const float sine = sine_near_zero(r), cosine = cosine_near_zero(r);
  const bool swapped = quarter & 1;
  first = turned(radius * choose(swapped, sine, cosine), quarter + 1);
  second = turned(radius * choose(swapped, cosine, sine), quarter);
}

}  // SIMD_NAMESPACE(noise)

void SIMD(add_normals)(const NoiseStream& stream, int64_t block, float sigma, float* x, int64_t n) {
  using namespace SIMD(noise);
  uint32_t w[4][kBlocks];
  float z[4][kBlocks];
  for (int64_t i = 0; i < n; i += kValues, block += kBlocks) {
    random_words(stream, block, w);
    for (int l = 0; l < kBlocks; l++) normal_pair(w[0][l], w[1][l], z[0][l], z[1][l]);
    for (int l = 0; l < kBlocks; l++) normal_pair(w[2][l], w[3][l], z[2][l], z[3][l]);
    if (n - i >= kValues) {
      for (int l = 0; l < kBlocks; l++)
        for (int k = 0; k < 4; k++) x[i + 4 * l + k] += sigma * z[k][l];
    } else {
      for (int64_t j = 0; j < n - i; j++) x[i + j] += sigma * z[j & 3][j >> 2];
    }
  }
}

}  // namespace voxelspark
