#pragma once
#include <stdint.h>

#include "device/isa.h"

namespace voxelspark {

// sum[x][k] += w[x] * values[±x][k], weight[x] += w[x]; w null: ones; weight may be null; backwards: values run down.
DECLARE_SIMD(add_weighted_row, void,
             (const float* w, const float* values, int64_t n, int64_t c, bool backwards, float* sum, float* weight))
// sum[x][k] /= weight[x]
DECLARE_SIMD(divide_rows, void, (const float* weight, int64_t n, int64_t c, float* sum))

}  // namespace voxelspark
