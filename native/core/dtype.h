// Element types. float64 exists on the reference device only, where it serves gradient checks; the 16-bit types on CUDA
// only, where feature maps and their gradients may have them (and on the null device, which counts memory).
#pragma once
#include <cstdint>

namespace voxelspark {

enum class DType : int { float32 = 0, float64 = 1, bfloat16 = 2, float16 = 3 };
constexpr int kDTypes = 4;

inline bool is_16_bit(DType t) { return t == DType::bfloat16 || t == DType::float16; }
inline int64_t size_of(DType t) { return t == DType::float64 ? 8 : is_16_bit(t) ? 2 : 4; }
inline const char* name_of(DType t) {
  constexpr const char* kNames[kDTypes] = {"float32", "float64", "bfloat16", "float16"};
  return kNames[static_cast<int>(t)];
}

// Of what stands beside feature maps of a type: parameters and their gradients, statistics, sums.
inline DType wide_of(DType t) { return is_16_bit(t) ? DType::float32 : t; }
// Of the values that JavaScript gives and gets.
inline DType host_of(DType t) { return wide_of(t); }

}  // namespace voxelspark
