// Entry points of the CPU: each call is a plan for the gather-GEMM, the weight gradient or Winograd convolution.

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

void convolve(const ConvGeometry& g, int64_t winograd, const Maps& x, const Tensor& weight, const float* bias,
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

// x, with what is pending on it; or x and x2.
static Maps source_of(const Inputs& in, size_t affine, double slope) {
  if (present(in, 4)) return Maps({in[0], in[4]});
  return with_pending(in, 0, affine, slope);
}

// What Winograd convolution may do with maps whose first part has `channels`.
static int64_t allowed(int64_t winograd, int64_t channels) {
  return channels % kJoinedChannels ? kWinogradOff : winograd;
}
static int64_t allowed(int64_t winograd, const Inputs& in) {
  return present(in, 4) ? allowed(winograd, in[0].layout.channels()) : winograd;
}

int64_t ConvForward::workspace(const Inputs& in) const {
  const Layout x = joined_layout("conv3d", in, 0, 4);
  return convolve_workspace({kernel_of(in[1]), stride, padding}, allowed(winograd, in), x, infer(in)[0]);
}

int64_t ConvGradInput::workspace(const Inputs& in) const {
  const Shape& w = in[1].layout.shape;
  const Layout& gy = in[0].layout;
  Layout gx = infer(in)[0];
  gx.shape.dims[1] = w[1];
  if (const int m = winograd_tile(allowed(winograd, split), {w.size(), stride, padding}, gy, gx))
    return winograd_workspace(m, gy, gx);
  return gather_gemm_workspace(w.size().product(), w[0], w[1]);
}

int64_t ConvGradWeight::workspace(const Inputs& in) const {
  const ConvGeometry geometry{kernel, stride, padding};
  const Layout x = joined_layout("conv3d", in, 0, 4), &gy = in[1].layout;
  if (const int m = winograd_grad_weight_tile(allowed(winograd, in), geometry, x, gy))
    return winograd_grad_weight_workspace(m, x, gy);
  return weight_gradient_workspace(geometry, x, gy);
}

void conv3d_forward_cpu(const Descriptor& d, const Launch& l) {
  const auto& a = as<ConvForward>(d);
  const float* bias = present(l.inputs, 2) ? l.inputs[2].f32() : nullptr;
  convolve({kernel_of(l.inputs[1]), a.stride, a.padding}, allowed(a.winograd, l.inputs),
           source_of(l.inputs, 3, a.slope), l.inputs[1], bias, l.outputs[0], l.workspace,
           a.moments ? l.outputs[1].f32() : nullptr);
}

void conv3d_grad_input_cpu(const Descriptor& d, const Launch& l) {
  const auto& a = as<ConvGradInput>(d);
  const Tensor &gy = l.inputs[0], &weight = l.inputs[1];
  const ConvGeometry geometry{kernel_of(weight), a.stride, a.padding};
  const Maps gx = a.split ? Maps(l.outputs) : Maps(l.outputs[0]);
  NormSums sums;
  if (present(l.inputs, 2)) sums = {with_pending(l.inputs, 2, 3, a.slope), l.outputs[1].f32()};
  if (const int m = winograd_tile(allowed(a.winograd, a.split), geometry, gy.layout, gx.layout))
    return winograd_grad_input(m, gy, weight, gx, l.workspace, sums);
  int64_t first = 0;
  for (const Tensor& part : gx.parts) {
    gather_gemm(adjoint_gemm(geometry, gy, weight, nullptr, part, first), l.workspace);
    first += part.layout.channels();
  }
  if (!sums.to) return;
  const std::vector<double> found = norm_sums(l.outputs[0], sums.x);
  std::copy(found.begin(), found.end(), sums.to);
}

void conv3d_grad_weight_cpu(const Descriptor& d, const Launch& l) {
  const auto& a = as<ConvGradWeight>(d);
  const Maps x = source_of(l.inputs, 2, a.slope);
  const Tensor gy = with_pending(l.inputs, 1, 3, a.slope);
  const ConvGeometry geometry{a.kernel, a.stride, a.padding};
  if (const int m = winograd_grad_weight_tile(allowed(a.winograd, l.inputs), geometry, x.layout, gy.layout))
    return winograd_grad_weight(m, x, gy, l.outputs[0], a.bias ? l.outputs[1].f32() : nullptr, l.workspace);
  weight_gradient(geometry, x, gy, l.outputs[0], l.workspace);
  if (a.bias) channel_sums(gy, l.outputs[1]);
}

}  // namespace voxelspark
