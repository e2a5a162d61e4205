// One axis after the other, each voxel the weighted sum of its neighbours along it. Axes of deviation 0 are skipped.
#include "device/cuda_upload.cuh"
#include "ops/gaussian_blur/gaussian_blur.h"
#include "ops/resample/spline.h"

namespace voxelspark {

namespace {

struct BlurAxis {
  int64_t inner, n, taps;  // elements between neighbours; length of the axis; of the kernel
  const float *weight, *from;
  float* to;

  __device__ void operator()(int64_t i) const {
    const int64_t line = quotient(i, inner), at = line - quotient(line, n) * n;
    const float* first = from + (i - at * inner);
    float sum = 0;
    for (int64_t t = 0; t < taps; t++) {
      int64_t k = at + t - taps / 2;
      if (k < 0 || k >= n) k = mirrored(k, n);
      sum = fmaf(weight[t], first[k * inner], sum);
    }
    to[i] = sum;
  }
};

}  // namespace

void gaussian_blur_cuda(const Descriptor& d, const Launch& l) {
  const auto& op = as<GaussianBlur>(d);
  const Layout& layout = l.inputs[0].layout;
  const Int3 size = layout.shape.size();
  const int64_t elements = layout.shape.elements(), length[3] = {size.z, size.y, size.x};
  const int64_t inner[3] = {size.y * size.x, size.x, 1};
  Parts parts(l.workspace);
  const BlurParts memory(parts, layout, op.sigma);
  int left = 0;
  for (int a = 0; a < 3; a++) left += blur_taps(op.sigma[a]) > 1;
  const float* from = l.inputs[0].f32();
  float* const y = l.outputs[0].f32();
  if (left == 0) launch_elementwise(elements, CopyElements{from, y}, "gaussian_blur");
  for (int a = 0; a < 3; a++) {
    const std::vector<double> weights = blur_weights(op.sigma[a]);
    if (weights.size() == 1) continue;
    upload(std::vector<float>(weights.begin(), weights.end()), memory.weights[a], "a copy of the blur's weights");
    float* const to = --left % 2 ? memory.half : y;  // so that the last one ends in y
    const BlurAxis body{inner[a], length[a], static_cast<int64_t>(weights.size()), memory.weights[a], from, to};
    launch_elementwise(elements, body, "gaussian_blur");
    from = to;
  }
}

}  // namespace voxelspark
