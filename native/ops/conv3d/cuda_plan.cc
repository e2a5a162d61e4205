#include "ops/conv3d/cuda_plan.h"

#include "ops/conv3d/cuda_engine.h"
#include "ops/conv3d/cuda_moments_plan.h"
#include "ops/conv_transpose3d/conv_transpose3d.h"
#include "ops/reduce/voxel_splits.h"

namespace voxelspark {

static int64_t partials_without_tensor_cores(const ConvGeometry& g, const Layout& x, const Layout& gy) {
  const int64_t columns = g.kernel.product() * x.channels(), splits = WeightSplits::of(gy, columns).splits;
  return splits > 1 ? splits * gy.channels() * columns * static_cast<int64_t>(sizeof(float)) : 0;
}

static int64_t weight_partials(const ConvGeometry& g, const Layout& x, const Layout& gy, int64_t split) {
  switch (choose_weight_engine(g, x, gy, split)) {
    case ConvEngine::tensor_halo: return HaloWeightPlan::of(g, x, gy).partial_bytes();
    case ConvEngine::tensor_gather: return TensorWeightPlan::of(g, x, gy).partial_bytes;
    case ConvEngine::pointwise: return VoxelSplits::of(x, false).bytes(gy.channels(), x.channels());
    case ConvEngine::stem: return StemPlan::of(g, x, gy).partial_bytes;
    case ConvEngine::gather: return partials_without_tensor_cores(g, x, gy);
  }
  return 0;
}

int64_t cuda_weight_gradient_workspace(const ConvGeometry& g, const Layout& x, const Layout& gy, const Layout* biased,
                                       int64_t split) {
  return std::max(weight_partials(g, x, gy, split),
                  biased ? VoxelSplits::of(*biased, true).bytes(1, biased->channels()) : 0);
}

// Channels of the first of two maps, or 0.
static int64_t split_of(const Inputs& in) { return present(in, 4) ? in[0].layout.channels() : 0; }

int64_t ConvForward::cuda_workspace(const Inputs& in) const {
  const Layout x = joined_layout("conv3d", in, 0, 4);
  const ConvCall call{{kernel_of(in[1]), stride, padding}, false, x, infer(in)[0], split_of(in)};
  if (!moments) return convolution_workspace(call);
  Parts parts;
  MomentsMemory(parts, call.dest, cells_of(call));
  return whole_lines(convolution_workspace(call)) + parts.bytes();
}

int64_t ConvGradInput::cuda_workspace(const Inputs& in) const {
  Layout gx = infer(in)[0];
  gx.shape.dims[1] = in[1].layout.channels();  // of both parts
  return convolution_workspace({{kernel_of(in[1]), stride, padding}, true, in[0].layout, gx, split});
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
  const Layout x = joined_layout("conv3d", in, 0, 4), &gy = in[1].layout;
  return cuda_weight_gradient_workspace({kernel, stride, padding}, x, gy, bias ? &gy : nullptr, split_of(in));
}

// The input and the output exchange their parts.
int64_t ConvTransposeGradWeight::cuda_workspace(const Inputs& in) const {
  const Layout &x = in[0].layout, &gy = in[1].layout;
  const Int3 kernel = gy.shape.size() / x.shape.size();
  return cuda_weight_gradient_workspace({kernel, kernel, {0, 0, 0}}, gy, x, bias ? &gy : nullptr);
}

}  // namespace voxelspark
