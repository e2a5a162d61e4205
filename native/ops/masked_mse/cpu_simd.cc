#include "device/simd.h"

namespace voxelspark {

void SIMD(scaled_difference)(const float* __restrict a, const float* __restrict b, float scale, float* __restrict y,
                             int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = scale * (a[i] - b[i]);
}

}  // namespace voxelspark
