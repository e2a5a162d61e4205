#pragma once
#include <stdint.h>

#include "device/isa.h"

namespace voxelspark {

// Ranges of n elements.
DECLARE_SIMD(leaky_relu_range, void, (const float* x, float slope, float* y, int64_t n))
DECLARE_SIMD(leaky_relu_gradient_range, void, (const float* y, const float* gy, float slope, float* gx, int64_t n))

}  // namespace voxelspark
