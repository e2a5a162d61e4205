#include "device/simd.h"
#include "ops/avg_pool3d/simd.h"

namespace voxelspark {

void SIMD(pool_row)(const PoolRow& p, const float* x, int64_t voxels, float* y) {
  const int64_t vectors = p.channels / kLanes * kLanes;
  for (int64_t v = 0; v < voxels; v++, x += p.kx * p.channels, y += p.channels) {
    for (int64_t c = 0; c < vectors; c += kLanes) {
      Vec sum = {};
      for (int64_t z = 0; z < p.kz; z++)
        for (int64_t r = 0; r < p.ky; r++) {
          const float* from = x + z * p.stride_z + r * p.stride_y + c;
          for (int64_t k = 0; k < p.kx; k++) sum += load(from + k * p.channels);
        }
      store(y + c, sum * p.scale);
    }
    for (int64_t c = vectors; c < p.channels; c++) {
      float sum = 0;
      for (int64_t z = 0; z < p.kz; z++)
        for (int64_t r = 0; r < p.ky; r++)
          for (int64_t k = 0; k < p.kx; k++) sum += x[z * p.stride_z + r * p.stride_y + k * p.channels + c];
      y[c] = sum * p.scale;
    }
  }
}

void SIMD(spread_row)(const PoolRow& p, const float* gy, int64_t voxels, float* gx) {
  for (int64_t z = 0; z < p.kz; z++)
    for (int64_t r = 0; r < p.ky; r++) {
      float* to = gx + z * p.stride_z + r * p.stride_y;
      const float* from = gy;
      for (int64_t v = 0; v < voxels; v++, from += p.channels)
        for (int64_t k = 0; k < p.kx; k++, to += p.channels)
          for (int64_t c = 0; c < p.channels; c++) to[c] = from[c] * p.scale;
    }
}

}  // namespace voxelspark
