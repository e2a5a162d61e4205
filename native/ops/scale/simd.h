#pragma once
#include <stdint.h>

#include "device/isa.h"

namespace voxelspark {

DECLARE_SIMD(scale_range, void, (const float* x, float factor, float* y, int64_t n))

}  // namespace voxelspark
