#pragma once
#include <stdint.h>

#include "device/isa.h"

namespace voxelspark {

// y = scale * (a - b)
DECLARE_SIMD(scaled_difference, void, (const float* a, const float* b, float scale, float* y, int64_t n))

}  // namespace voxelspark
