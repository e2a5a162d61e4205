#pragma once
#include <stdint.h>

#include "device/isa.h"

namespace voxelspark {

DECLARE_SIMD(add_range, void, (const float* a, const float* b, float* y, int64_t n))  // y may be a

}  // namespace voxelspark
