// Entry points of the CPU: the engines of conv3d with input and output exchanged.
#include "ops/conv3d/gather_gemm.h"
#include "ops/conv3d/weight_gradient.h"
#include "ops/conv_transpose3d/conv_transpose3d.h"
#include "ops/reduce/channel_sums.h"

namespace voxelspark {

DEFINE_KERNEL(conv_transpose3d_forward, ConvTransposeForward)
DEFINE_KERNEL(conv_transpose3d_grad_input, ConvTransposeGradInput)
DEFINE_KERNEL(conv_transpose3d_grad_weight, ConvTransposeGradWeight)

static ConvGeometry geometry_of(Int3 kernel) { return {kernel, kernel, {0, 0, 0}}; }
static Int3 kernel_between(const Tensor& x, const Tensor& gy) { return gy.layout.shape.size() / x.layout.shape.size(); }

int64_t ConvTransposeForward::workspace(const Inputs& in) const {
  const Shape& w = in[1].layout.shape;
  return gather_gemm_workspace(w.size().product(), w[0], w[1]);
}

int64_t ConvTransposeGradInput::workspace(const Inputs& in) const {
  const Shape& w = in[1].layout.shape;
  return gather_gemm_workspace(w.size().product(), w[1], w[0]);
}

int64_t ConvTransposeGradWeight::workspace(const Inputs& in) const {
  return weight_gradient_workspace(geometry_of(kernel_between(in[0], in[1])), in[1].layout, in[0].layout);
}

void conv_transpose3d_forward_cpu(const Descriptor& d, const Launch& l) {
  const Tensor x = with_pending(l.inputs, 0, 3, as<ConvTransposeForward>(d).slope), &weight = l.inputs[1];
  const float* bias = present(l.inputs, 2) ? l.inputs[2].f32() : nullptr;
  gather_gemm(adjoint_gemm(geometry_of(kernel_of(weight)), x, weight, bias, l.outputs[0]), l.workspace);
}

void conv_transpose3d_grad_input_cpu(const Descriptor&, const Launch& l) {
  const Tensor &gy = l.inputs[0], &weight = l.inputs[1];
  gather_gemm(forward_gemm(geometry_of(kernel_of(weight)), gy, weight, nullptr, l.outputs[0]), l.workspace);
}

void conv_transpose3d_grad_weight_cpu(const Descriptor& d, const Launch& l) {
  const auto& a = as<ConvTransposeGradWeight>(d);
  const Tensor x = with_pending(l.inputs, 0, 2, a.slope), &gy = l.inputs[1];
  weight_gradient(geometry_of(kernel_between(x, gy)), gy, x, l.outputs[0], l.workspace);
  if (a.bias) channel_sums(gy, l.outputs[1]);
}

}  // namespace voxelspark
