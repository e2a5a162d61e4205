#include "device/parallel.h"
#include "ops/add/add.h"
#include "ops/add/simd.h"

namespace voxelspark {

DEFINE_KERNEL(add_forward, Add)
DEFINE_KERNEL(accumulate, Accumulate)

static void sum(const Tensor& a, const Tensor& b, const Tensor& y) {
  auto range = simd_add_range();
  parallel_ranges(y.layout.stored_elements(), 1 << 16,
                  [&](int64_t i, int64_t end) { range(a.f32() + i, b.f32() + i, y.f32() + i, end - i); });
}

void add_forward_cpu(const Descriptor&, const Launch& l) { sum(l.inputs[0], l.inputs[1], l.outputs[0]); }
void accumulate_cpu(const Descriptor&, const Launch& l) { sum(l.inputs[0], l.inputs[1], l.inputs[0]); }

}  // namespace voxelspark
