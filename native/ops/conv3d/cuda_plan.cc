#include "ops/conv3d/cuda_plan.h"

#include "ops/conv3d/cuda_engine.h"
#include "ops/conv_transpose3d/conv_transpose3d.h"
#include "ops/reduce/voxel_splits.h"

namespace voxelspark {

int64_t cuda_weight_gradient_workspace(const Layout& gy, int64_t columns, const Layout* biased) {
  const int64_t splits = WeightSplits::of(gy, columns).splits;
  const int64_t partials = splits > 1 ? splits * gy.channels() * columns * static_cast<int64_t>(sizeof(float)) : 0;
  return std::max(partials, biased ? VoxelSplits::of(*biased, true).bytes(1, biased->channels()) : 0);
}

int64_t ConvForward::cuda_workspace(const Inputs& in) const {
  return convolution_workspace({{kernel_of(in[1]), stride, padding}, false, in[0].layout, infer(in)[0]});
}

int64_t ConvGradInput::cuda_workspace(const Inputs& in) const {
  return convolution_workspace({{kernel_of(in[1]), stride, padding}, true, in[0].layout, infer(in)[0]});
}

int64_t ConvTransposeForward::cuda_workspace(const Inputs& in) const {
  const Int3 kernel = kernel_of(in[1]);
  return convolution_workspace({{kernel, kernel, {0, 0, 0}}, true, in[0].layout, infer(in)[0]});
}

int64_t ConvTransposeGradInput::cuda_workspace(const Inputs& in) const {
  const Int3 kernel = kernel_of(in[1]);
  return convolution_workspace({{kernel, kernel, {0, 0, 0}}, false, in[0].layout, infer(in)[0]});
}

int64_t ConvGradWeight::cuda_workspace(const Inputs& in) const {
  const Layout &x = in[0].layout, &gy = in[1].layout;
  return cuda_weight_gradient_workspace(gy, kernel.product() * x.channels(), bias ? &gy : nullptr);
}

// The input and the output exchange their parts.
int64_t ConvTransposeGradWeight::cuda_workspace(const Inputs& in) const {
  const Layout &x = in[0].layout, &gy = in[1].layout;
  const int64_t taps = (gy.shape.size() / x.shape.size()).product();
  return cuda_weight_gradient_workspace(x, taps * gy.channels(), bias ? &gy : nullptr);
}

}  // namespace voxelspark
