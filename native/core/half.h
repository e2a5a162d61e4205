// Floats in 16 bits, rounded to the nearest, ties to even, as the device's own conversions do; NaN becomes 0x7FFF.
// bfloat16: 8 bits of exponent, 7 of mantissa; float16: 5 and 10.
#pragma once
#include <cstdint>
#include <cstring>

namespace voxelspark {

inline uint32_t bits_of(float v) {
  uint32_t bits;
  std::memcpy(&bits, &v, sizeof bits);
  return bits;
}
inline float float_of(uint32_t bits) {
  float v;
  std::memcpy(&v, &bits, sizeof v);
  return v;
}

struct BFloat16 {
  uint16_t bits;

  static BFloat16 of(float v) {
    const uint32_t all = bits_of(v);
    if ((all & 0x7FFFFFFF) > 0x7F800000) return {0x7FFF};
    return {static_cast<uint16_t>((all + 0x7FFF + (all >> 16 & 1)) >> 16)};
  }
  float value() const { return float_of(static_cast<uint32_t>(bits) << 16); }
};

struct Float16 {
  uint16_t bits;

  static Float16 of(float v) {
    constexpr uint32_t kInfinity = 0x7F800000, kOverflow = 0x477FF000;  // 65520, half-way beyond the largest
    constexpr uint32_t kNormal = 0x38800000;                            // 2^-14
    const uint32_t all = bits_of(v), sign = all >> 16 & 0x8000, size = all & 0x7FFFFFFF;
    if (size > kInfinity) return {0x7FFF};
    if (size >= kOverflow) return {static_cast<uint16_t>(sign | 0x7C00)};
    if (size >= kNormal) return {static_cast<uint16_t>(sign | (size - (112u << 23) + 0xFFF + (size >> 13 & 1)) >> 13)};
    // The last bit of 0.5 counts 2^-24, as that of a subnormal: the addition rounds.
    return {static_cast<uint16_t>(sign | (bits_of(float_of(size) + 0.5f) - bits_of(0.5f)))};
  }
  float value() const {
    const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16, exponent = bits >> 10 & 31,
                   mantissa = bits & 0x3FF;
    if (exponent == 31) return float_of(sign | 0x7F800000 | mantissa << 13);
    if (exponent) return float_of(sign | (exponent + 112) << 23 | mantissa << 13);
    const float size = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -size : size;
  }
};

}  // namespace voxelspark
