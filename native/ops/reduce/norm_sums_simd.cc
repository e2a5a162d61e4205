#include "ops/pending_simd.h"
#include "ops/reduce/simd.h"

namespace voxelspark {

static VS_INLINE void accumulate(double* sums, Vec v) {
  float lanes[kLanes];
  store(lanes, v);
  store(sums, load(sums) + widen(lanes));
  store(sums + kWide, load(sums + kWide) + widen(lanes + kWide));
}

void SIMD(add_norm_sums)(const float* x, const float* g, int64_t n, int64_t width, const float* affine, float slope,
                         double* sums) {
  const float *mean = affine, *scale = affine + width, *shift = affine + 2 * width;
  for (int64_t row = 0; row < n; row += width) {
    const int64_t columns = n - row < width ? n - row : width;
    int64_t k = 0;
    for (; k + kLanes <= columns; k += kLanes) {
      const Vec value = load(x + row + k), m = load(mean + k);
      const Vec d = activated(affine_of(value, m, load(scale + k), load(shift + k)), load(g + row + k), slope);
      accumulate(sums + k, d);
      accumulate(sums + width + k, d * (value - m));
    }
    for (; k < columns; k++) {
      const float value = x[row + k];
      const float d = activated(affine_of(value, mean[k], scale[k], shift[k]), g[row + k], slope);
      sums[k] += d;
      sums[width + k] += d * (value - mean[k]);
    }
  }
}

}  // namespace voxelspark
