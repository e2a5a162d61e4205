#include "device/simd.h"

namespace voxelspark {

void SIMD(add_range)(const float* a, const float* b, float* y, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = a[i] + b[i];
}

}  // namespace voxelspark
