#include "device/parallel.h"
#include "ops/resample/affine_row.h"
#include "ops/resample/lines.h"
#include "ops/resample_labels/resample_labels.h"
#include "ops/resample_labels/simd.h"

namespace voxelspark {

DEFINE_KERNEL(resample_labels, ResampleLabels)

void resample_labels_cpu(const Descriptor& d, const Launch& l) {
  const auto& op = as<ResampleLabels>(d);
  const Int3 from = l.inputs[0].layout.shape.size();
  auto resample = simd_label_row();
  parallel_for(l.inputs[0].layout.shape.samples() * op.size.z, [&](int64_t item) {
    const int64_t sample = item / op.size.z, z = item % op.size.z;
    AffineRow r = {};
    r.volume = l.inputs[0].f32() + sample * from.product();
    sizes_of(from, r.size);
    r.outside = static_cast<float>(op.outside);
    r.count = op.size.x;
    for (int64_t y = 0; y < op.size.y; y++) {
      place_row(r, op.matrix.data(), z, y);
      r.out = l.outputs[0].f32() + (item * op.size.y + y) * op.size.x;
      resample(r);
    }
  });
}

}  // namespace voxelspark
