#pragma once
#include <stdint.h>

#include "device/isa.h"

namespace voxelspark {

// out[i] = sum over taps k of weight[k] * rows[k][i]; out overlaps no row
DECLARE_SIMD(weighted_rows, void, (const float* const* rows, const float* weight, int64_t taps, int64_t n, float* out))

}  // namespace voxelspark
