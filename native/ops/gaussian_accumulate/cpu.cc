#include "device/parallel.h"
#include "ops/gaussian_accumulate/gaussian_accumulate.h"
#include "ops/gaussian_accumulate/simd.h"

namespace voxelspark {

DEFINE_KERNEL(gaussian_accumulate, GaussianAccumulate)
DEFINE_KERNEL(gaussian_normalize, GaussianNormalize)

void gaussian_accumulate_cpu(const Descriptor& d, const Launch& l) {
  const auto& op = as<GaussianAccumulate>(d);
  const Overlap o = op.overlap(l.inputs);
  if (o.empty()) return;
  const Int3 size = l.inputs[0].layout.shape.size(), patch = l.inputs[2].layout.shape.size();
  const Int3 extent = o.end - o.begin, first = o.begin - op.offset;
  const int64_t c = l.inputs[0].layout.channels();
  float *sum = l.inputs[0].f32(), *weight = present(l.inputs, 1) ? l.inputs[1].f32() : nullptr;
  const float* window = present(l.inputs, 3) ? l.inputs[3].f32() : nullptr;
  const bool backwards = op.flip.x == 1;
  auto add = simd_add_weighted_row();
  parallel_items(l.inputs[0].layout.shape.samples() * extent.z * extent.y, extent.x * c, [&](int64_t i) {
    const int64_t n = i / (extent.z * extent.y), z = i / extent.y % extent.z, y = i % extent.y;
    const int64_t to = row_of(n, size, o.begin.z + z, o.begin.y + y) + o.begin.x;
    const Int3 from = op.source({first.z + z, first.y + y, first.x}, patch);
    const float* values = l.inputs[2].f32() + (row_of(n, patch, from.z, from.y) + from.x) * c;
    const float* w = window ? window + row_of(0, patch, first.z + z, first.y + y) + first.x : nullptr;
    add(w, values, extent.x, c, backwards, sum + to * c, weight ? weight + to : nullptr);
  });
}

void gaussian_normalize_cpu(const Descriptor&, const Launch& l) {
  const int64_t c = l.inputs[0].layout.channels();
  float* sum = l.inputs[0].f32();
  const float* weight = l.inputs[1].f32();
  auto divide = simd_divide_rows();
  parallel_ranges(l.inputs[0].layout.voxels(), 1 << 14,
                  [&](int64_t i, int64_t end) { divide(weight + i, end - i, c, sum + i * c); });
}

}  // namespace voxelspark
