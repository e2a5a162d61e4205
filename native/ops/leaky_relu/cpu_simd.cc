// Compiled once per instruction set; see device/simd.h for what such a file may include.
#include "device/simd.h"

namespace voxelspark {

void SIMD(leaky_relu_range)(const float* x, float slope, float* y, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = x[i] > 0 ? x[i] : slope * x[i];
}

void SIMD(leaky_relu_gradient_range)(const float* y, const float* gy, float slope, float* gx, int64_t n) {
  for (int64_t i = 0; i < n; i++) gx[i] = y[i] > 0 ? gy[i] : slope * gy[i];
}

}  // namespace voxelspark
