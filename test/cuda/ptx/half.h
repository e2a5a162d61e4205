// Numbers of 16 bits. All are float32 numbers too, and so are all products of two of the same kind.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

namespace ptx {

enum class Half { f16, bf16 };

inline float from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

// bfloat16: the upper half of a float32.
inline float from_bf16(uint16_t bits) { return from_bits(uint32_t{bits} << 16); }

// binary16: 5 bits of exponent with bias 15, 10 of mantissa; exponent 0 without a leading one, 31 infinite or NaN.
inline float from_f16(uint16_t bits) {
  const uint32_t sign = uint32_t{bits} >> 15 << 31, exponent = bits >> 10 & 31, mantissa = bits & 1023;
  if (exponent == 31) return from_bits(sign | 0x7F800000 | mantissa << 13);
  if (exponent) return from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
  return (sign ? -1.0f : 1.0f) * std::ldexp(static_cast<float>(mantissa), -24);
}

inline float decode(Half kind, uint16_t bits) { return kind == Half::bf16 ? from_bf16(bits) : from_f16(bits); }

}  // namespace ptx
