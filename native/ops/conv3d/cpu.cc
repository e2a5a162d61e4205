// Entry points of the CPU: each call is a plan for the gather-GEMM or the weight gradient.
#include "ops/conv3d/conv3d.h"
#include "ops/conv3d/gather_gemm.h"
#include "ops/conv3d/weight_gradient.h"

namespace voxelspark {

DEFINE_KERNEL(conv3d_forward, ConvForward)
DEFINE_KERNEL(conv3d_grad_input, ConvGradInput)
DEFINE_KERNEL(conv3d_grad_weight, ConvGradWeight)

int64_t ConvForward::workspace(const Inputs& in) const {
  const Shape& w = in[1].layout.shape;
  return gather_gemm_workspace(w.size().product(), w[1], w[0]);
}

int64_t ConvGradInput::workspace(const Inputs& in) const {
  const Shape& w = in[1].layout.shape;
  return gather_gemm_workspace(w.size().product(), w[0], w[1]);
}

int64_t ConvGradWeight::workspace(const Inputs& in) const {
  return weight_gradient_workspace({kernel, stride, padding}, in[0].layout, in[1].layout);
}

void conv3d_forward_cpu(const Descriptor& d, const Launch& l) {
  const auto& a = as<ConvForward>(d);
  const Tensor &x = l.inputs[0], &weight = l.inputs[1];
  const float* bias = present(l.inputs, 2) ? l.inputs[2].f32() : nullptr;
  gather_gemm(forward_gemm({kernel_of(weight), a.stride, a.padding}, x, weight, bias, l.outputs[0]), l.workspace);
}

void conv3d_grad_input_cpu(const Descriptor& d, const Launch& l) {
  const auto& a = as<ConvGradInput>(d);
  const Tensor &gy = l.inputs[0], &weight = l.inputs[1];
  gather_gemm(adjoint_gemm({kernel_of(weight), a.stride, a.padding}, gy, weight, nullptr, l.outputs[0]), l.workspace);
}

void conv3d_grad_weight_cpu(const Descriptor& d, const Launch& l) {
  const auto& a = as<ConvGradWeight>(d);
  const Tensor &x = l.inputs[0], &gy = l.inputs[1];
  weight_gradient({a.kernel, a.stride, a.padding}, x, gy, l.outputs[0], l.workspace);
  if (a.bias) channel_sums(gy, l.outputs[1], l.workspace);
}

}  // namespace voxelspark
