// Elementwise over stored voxels; deterministic for any number of threads because no element is shared.
#include "device/parallel.h"
#include "ops/leaky_relu/leaky_relu.h"
#include "ops/leaky_relu/simd.h"

namespace voxelspark {

constexpr int64_t kGrain = 1 << 16;

DEFINE_KERNEL(leaky_relu_forward, LeakyRelu)
DEFINE_KERNEL(leaky_relu_backward, LeakyRelu)

void leaky_relu_forward_cpu(const Descriptor& d, const Launch& l) {
  const float *x = l.inputs[0].f32(), slope = static_cast<float>(as<LeakyRelu>(d).slope);
  float* y = l.outputs[0].f32();
  auto range = simd_leaky_relu_range();
  parallel_ranges(l.outputs[0].layout.stored_elements(), kGrain,
                  [&](int64_t a, int64_t b) { range(x + a, slope, y + a, b - a); });
}

void leaky_relu_backward_cpu(const Descriptor& d, const Launch& l) {
  const float *y = l.inputs[0].f32(), *gy = l.inputs[1].f32(), slope = static_cast<float>(as<LeakyRelu>(d).slope);
  float* gx = l.outputs[0].f32();
  auto range = simd_leaky_relu_gradient_range();
  parallel_ranges(l.outputs[0].layout.stored_elements(), kGrain,
                  [&](int64_t a, int64_t b) { range(y + a, gy + a, slope, gx + a, b - a); });
}

}  // namespace voxelspark
