#include <cstring>

#include "device/parallel.h"
#include "ops/apply_mask/apply_mask.h"

namespace voxelspark {

DEFINE_KERNEL(apply_mask_forward, ApplyMask)

// A row of a block is contiguous on both sides. memcpy is dispatched per instruction set by the C library.
void apply_mask_forward_cpu(const Descriptor&, const Launch& l) {
  const Tensor &x = l.inputs[0], &y = l.outputs[0];
  const Int3 size = x.layout.shape.size(), edge = y.layout.edge();
  const int64_t c = y.layout.channels(), row = edge.x * c, plane = edge.y * row;
  parallel_items(y.layout.blocks() * edge.z, plane, [&](int64_t i) {
    const int64_t block = i / edge.z, n = y.layout.sample_of(block);
    const Int3 corner = y.layout.corner_of(block);
    const float* from = x.f32() + (((n * size.z + corner.z + i % edge.z) * size.y + corner.y) * size.x + corner.x) * c;
    float* to = y.f32() + i * plane;
    for (int64_t r = 0; r < edge.y; r++, from += size.x * c, to += row) std::memcpy(to, from, row * sizeof(float));
  });
}

}  // namespace voxelspark
