#include "device/parallel.h"
#include "ops/scale/scale.h"
#include "ops/scale/simd.h"

namespace voxelspark {

DEFINE_KERNEL(scale, Scale)

void scale_cpu(const Descriptor& d, const Launch& l) {
  const float *x = l.inputs[0].f32(), factor = static_cast<float>(as<Scale>(d).factor);
  float* y = l.outputs[0].f32();
  auto range = simd_scale_range();
  parallel_ranges(l.outputs[0].layout.stored_elements(), 1 << 16,
                  [&](int64_t i, int64_t end) { range(x + i, factor, y + i, end - i); });
}

}  // namespace voxelspark
