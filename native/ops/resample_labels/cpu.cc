#include "device/parallel.h"
#include "ops/resample_labels/resample_labels.h"
#include "ops/resample_labels/simd.h"

namespace voxelspark {

DEFINE_KERNEL(resample_labels, ResampleLabels)

void resample_labels_cpu(const Descriptor& d, const Launch& l) {
  const auto& op = as<ResampleLabels>(d);
  const Int3 from = l.inputs[0].layout.shape.size();
  const double* m = op.matrix.data();
  auto resample = simd_label_row();
  parallel_for(l.inputs[0].layout.shape.samples() * op.size.z, [&](int64_t item) {
    const int64_t sample = item / op.size.z, z = item % op.size.z;
    for (int64_t y = 0; y < op.size.y; y++) {
      LinearRow r = {};
      r.volume = l.inputs[0].f32() + sample * from.product();
      r.size[0] = from.z, r.size[1] = from.y, r.size[2] = from.x;
      for (int a = 0; a < 3; a++) {
        r.start[a] = m[a * 4] * static_cast<double>(z) + m[a * 4 + 1] * static_cast<double>(y) + m[a * 4 + 3];
        r.step[a] = m[a * 4 + 2];
      }
      r.outside = static_cast<float>(op.outside);
      r.out = l.outputs[0].f32() + (item * op.size.y + y) * op.size.x;
      r.count = op.size.x;
      resample(r);
    }
  });
}

}  // namespace voxelspark
