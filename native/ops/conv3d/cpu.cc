// Entry points of the CPU: each call is a plan for the gather-GEMM, the weight gradient or Winograd convolution.

#include "ops/concat/concat.h"
#include "ops/conv3d/conv3d.h"
#include "ops/conv3d/convolve.h"
#include "ops/conv3d/gather_gemm.h"
#include "ops/conv3d/weight_gradient.h"
#include "ops/conv3d/winograd.h"
#include "ops/reduce/channel_moments.h"
#include "ops/reduce/channel_sums.h"

namespace voxelspark {

DEFINE_KERNEL(conv3d_forward, ConvForward)
DEFINE_KERNEL(conv3d_grad_input, ConvGradInput)
DEFINE_KERNEL(conv3d_grad_weight, ConvGradWeight)

int64_t convolve_workspace(const ConvGeometry& g, int64_t winograd, const Layout& x, const Layout& y) {
  if (const int m = winograd_tile(winograd, g, x, y)) return winograd_workspace(m, x, y);
  return gather_gemm_workspace(g.kernel.product(), x.channels(), y.channels());
}

void convolve(const ConvGeometry& g, int64_t winograd, const Tensor& x, const Tensor& weight, const float* bias,
              const Tensor& y, void* workspace, float* moments) {
  if (const int m = winograd_tile(winograd, g, x.layout, y.layout))
    return winograd_forward(m, x, weight, bias, y, workspace, moments);
  gather_gemm(forward_gemm(g, x, weight, bias, y), workspace);
  if (!moments) return;
  const std::vector<double> found = channel_moments(y);
  std::copy(found.begin(), found.end(), moments);
}

int64_t convolve_add_workspace(const ConvGeometry& g, int64_t winograd, const Layout& x, const Layout& y) {
  if (const int m = winograd_tile(winograd, g, x, y)) return winograd_add_workspace(m, x, y);
  return gather_gemm_workspace(g.kernel.product(), x.channels(), y.channels());
}

void convolve_add(const ConvGeometry& g, int64_t winograd, const Tensor& x, const Tensor& weight, const Tensor& y,
                  void* workspace) {
  if (const int m = winograd_tile(winograd, g, x.layout, y.layout)) return winograd_add(m, x, weight, y, workspace);
  GatherGemm gemm = forward_gemm(g, x, weight, nullptr, y);
  gemm.add = true;
  gather_gemm(gemm, workspace);
}

void concat_forward_cpu(const Descriptor&, const Launch&);
void concat_backward_cpu(const Descriptor&, const Launch&);

static Layout whole(Layout part, int64_t channels) {
  part.shape.dims[1] = channels;
  return part;
}

static Tensor joined(const Inputs& in, std::vector<float>& memory) {
  const Layout layout = joined_layout("conv3d", in, 0, 4);
  memory.resize(layout.stored_elements());
  const Tensor t{layout, memory.data()};
  concat_forward_cpu(Concat{}, {{in[0], in[4]}, {t}});
  return t;
}

int64_t ConvForward::workspace(const Inputs& in) const {
  const Layout x = joined_layout("conv3d", in, 0, 4);
  return convolve_workspace({kernel_of(in[1]), stride, padding}, winograd, x, infer(in)[0]);
}

int64_t ConvGradInput::workspace(const Inputs& in) const {
  const Shape& w = in[1].layout.shape;
  const Layout &gy = in[0].layout, gx = whole(infer(in)[0], w[1]);
  if (const int m = winograd_tile(winograd, {w.size(), stride, padding}, gy, gx)) return winograd_workspace(m, gy, gx);
  return gather_gemm_workspace(w.size().product(), w[0], w[1]);
}

int64_t ConvGradWeight::workspace(const Inputs& in) const {
  const ConvGeometry geometry{kernel, stride, padding};
  const Layout x = joined_layout("conv3d", in, 0, 4), &gy = in[1].layout;
  if (const int m = winograd_grad_weight_tile(winograd, geometry, x, gy))
    return winograd_grad_weight_workspace(m, x, gy);
  return weight_gradient_workspace(geometry, x, gy);
}

void conv3d_forward_cpu(const Descriptor& d, const Launch& l) {
  const auto& a = as<ConvForward>(d);
  const float* bias = present(l.inputs, 2) ? l.inputs[2].f32() : nullptr;
  std::vector<float> memory;
  const Tensor x = present(l.inputs, 4) ? joined(l.inputs, memory) : with_pending(l.inputs, 0, 3, a.slope);
  convolve({kernel_of(l.inputs[1]), a.stride, a.padding}, a.winograd, x, l.inputs[1], bias, l.outputs[0], l.workspace,
           a.moments ? l.outputs[1].f32() : nullptr);
}

void conv3d_grad_input_cpu(const Descriptor& d, const Launch& l) {
  const auto& a = as<ConvGradInput>(d);
  const Tensor &gy = l.inputs[0], &weight = l.inputs[1];
  const ConvGeometry geometry{kernel_of(weight), a.stride, a.padding};
  Tensor gx = l.outputs[0];
  NormSums sums;
  if (present(l.inputs, 2)) sums = {with_pending(l.inputs, 2, 3, a.slope), l.outputs[1].f32()};
  std::vector<float> memory;
  if (a.split) {
    gx.layout = whole(gx.layout, weight.layout.shape[1]);
    memory.resize(gx.layout.stored_elements());
    gx.data = memory.data();
  }
  if (const int m = winograd_tile(a.winograd, geometry, gy.layout, gx.layout)) {
    winograd_grad_input(m, gy, weight, gx, l.workspace, sums);
  } else {
    gather_gemm(adjoint_gemm(geometry, gy, weight, nullptr, gx), l.workspace);
    const std::vector<double> found = sums.to ? norm_sums(gx, sums.x) : std::vector<double>();
    std::copy(found.begin(), found.end(), sums.to);
  }
  if (a.split) concat_backward_cpu(ConcatBackward{}, {{gx}, l.outputs});
}

void conv3d_grad_weight_cpu(const Descriptor& d, const Launch& l) {
  const auto& a = as<ConvGradWeight>(d);
  std::vector<float> memory;
  const Tensor x = present(l.inputs, 4) ? joined(l.inputs, memory) : with_pending(l.inputs, 0, 2, a.slope);
  const Tensor gy = with_pending(l.inputs, 1, 3, a.slope);
  const ConvGeometry geometry{a.kernel, a.stride, a.padding};
  if (const int m = winograd_grad_weight_tile(a.winograd, geometry, x.layout, gy.layout))
    winograd_grad_weight(m, x, gy, l.outputs[0], l.workspace);
  else weight_gradient(geometry, x, gy, l.outputs[0], l.workspace);
  if (a.bias) channel_sums(gy, l.outputs[1]);
}

}  // namespace voxelspark
