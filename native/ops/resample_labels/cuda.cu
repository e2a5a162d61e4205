// A voxel's eight neighbours vote where they differ.
#include "ops/resample/cuda_affine.cuh"
#include "ops/resample_labels/resample_labels.h"

namespace voxelspark {

namespace {

struct Vote {
  AffineView view;
  BlockView output;
  const float* labels;
  float outside;
  float* y;

  __device__ void operator()(int64_t voxel) const {
    AxisRead<1> az, ay, ax;
    if (!view.read(output.position(voxel), az, ay, ax)) {
      y[voxel] = outside;
      return;
    }
    float label[8], weight[8];
    bool equal = true;
#pragma unroll
    for (int k = 0; k < 8; k++) {
      const int z = k >> 2, y = k >> 1 & 1, x = k & 1;
      label[k] = labels[(static_cast<int64_t>(az.at[z]) * view.from.y + ay.at[y]) * view.from.x + ax.at[x]];
      weight[k] = az.weight[z] * ay.weight[y] * ax.weight[x];
      equal = equal && label[k] == label[0];
    }
    y[voxel] = equal ? label[0] : winner(label, weight);
  }
  // The heaviest, ties to the lowest; weights of equal labels are added in their order.
  __device__ static float winner(const float (&label)[8], const float (&weight)[8]) {
    float best = label[0], most = -1;
#pragma unroll
    for (int i = 0; i < 8; i++) {
      float sum = 0;
#pragma unroll
      for (int j = 0; j < 8; j++) sum += label[j] == label[i] ? weight[j] : 0.0f;
      if (sum < most || (sum == most && label[i] >= best)) continue;
      best = label[i];
      most = sum;
    }
    return best;
  }
};

}  // namespace

void resample_labels_cuda(const Descriptor& d, const Launch& l) {
  const auto& op = as<ResampleLabels>(d);
  const Shape& s = l.inputs[0].layout.shape;
  for (int64_t n = 0; n < s.samples(); n++) {
    const Vote vote{affine_view(op.matrix.data(), s.size(), op.size), view_of(nullptr, op.size),
                    l.inputs[0].f32() + n * s.size().product(), static_cast<float>(op.outside),
                    l.outputs[0].f32() + n * op.size.product()};
    launch_elementwise(op.size.product(), vote, "resample_labels");
  }
}

}  // namespace voxelspark
