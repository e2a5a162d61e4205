// Entry points of CUDA: each call is one of the two engines. Winograd convolution is the CPU's; here the attribute asks
// for nothing.
#include "ops/conv3d/conv3d.h"
#include "ops/conv3d/cuda_gemm.cuh"
#include "ops/reduce/cuda_reduce.cuh"

namespace voxelspark {

void conv3d_forward_cuda(const Descriptor& d, const Launch& l) {
  const auto& a = as<ConvForward>(d);
  const float* bias = present(l.inputs, 2) ? l.inputs[2].f32() : nullptr;
  forward_gemm_cuda({kernel_of(l.inputs[1]), a.stride, a.padding}, l.inputs[0], l.inputs[1], bias, l.outputs[0]);
}

void conv3d_grad_input_cuda(const Descriptor& d, const Launch& l) {
  const auto& a = as<ConvGradInput>(d);
  adjoint_gemm_cuda({kernel_of(l.inputs[1]), a.stride, a.padding}, l.inputs[0], l.inputs[1], nullptr, l.outputs[0]);
}

void conv3d_grad_weight_cuda(const Descriptor& d, const Launch& l) {
  const auto& a = as<ConvGradWeight>(d);
  weight_gradient_cuda({a.kernel, a.stride, a.padding}, l.inputs[0], l.inputs[1], l.outputs[0], l.workspace);
  if (a.bias) channel_sums_cuda(l.inputs[1], l.outputs[1], l.workspace);
}

}  // namespace voxelspark
