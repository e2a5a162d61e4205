// Element types. float64 exists on the reference device only, where it serves gradient checks.
#pragma once
#include <cstdint>

namespace voxelspark {

enum class DType : int { float32 = 0, float64 = 1 };

inline int64_t size_of(DType t) { return t == DType::float64 ? 8 : 4; }
inline const char* name_of(DType t) { return t == DType::float64 ? "float64" : "float32"; }

}  // namespace voxelspark
