#include "device/simd.h"

namespace voxelspark {

void SIMD(scale_range)(const float* x, float factor, float* y, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = factor * x[i];
}

}  // namespace voxelspark
