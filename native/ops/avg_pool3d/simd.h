#pragma once
#include <stdint.h>

#include "device/isa.h"

namespace voxelspark {

struct PoolRow {
  int64_t kz, ky, kx, channels, stride_z, stride_y;  // strides of the finer side, in elements
  float scale;                                       // 1 / (kz ky kx)
};

// One row of `voxels` coarse voxels: means of x, or gy spread over the kz x ky rows of gx.
DECLARE_SIMD(pool_row, void, (const PoolRow& p, const float* x, int64_t voxels, float* y))
DECLARE_SIMD(spread_row, void, (const PoolRow& p, const float* gy, int64_t voxels, float* gx))

}  // namespace voxelspark
