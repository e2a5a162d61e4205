#include "device/simd.h"
#include "ops/gaussian_blur/simd.h"

namespace voxelspark {

static VS_INLINE void weigh(const float* const* rows, const float* weight, int64_t taps, int64_t n, float* out) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    Vec sum = weight[0] * load(rows[0] + i);
    for (int64_t k = 1; k < taps; k++) sum += weight[k] * load(rows[k] + i);
    store(out + i, sum);
  }
  for (; i < n; i++) {
    float sum = weight[0] * rows[0][i];
    for (int64_t k = 1; k < taps; k++) sum += weight[k] * rows[k][i];
    out[i] = sum;
  }
}

void SIMD(weighted_rows)(const float* const* rows, const float* weight, int64_t taps, int64_t n, float* out) {
  switch (taps) {  // the lengths of deviations up to 1 voxel, unrolled
    case 3: return weigh(rows, weight, 3, n, out);
    case 5: return weigh(rows, weight, 5, n, out);
    case 7: return weigh(rows, weight, 7, n, out);
    default: return weigh(rows, weight, taps, n, out);
  }
}

}  // namespace voxelspark
