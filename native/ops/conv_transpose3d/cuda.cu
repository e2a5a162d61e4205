// Entry points of CUDA: the engines of conv3d with input and output exchanged.
#include "ops/conv3d/cuda_convolve.cuh"
#include "ops/conv_transpose3d/conv_transpose3d.h"
#include "ops/reduce/cuda_reduce.cuh"

namespace voxelspark {

static ConvGeometry geometry_of(Int3 kernel) { return {kernel, kernel, {0, 0, 0}}; }

void conv_transpose3d_forward_cuda(const Descriptor& d, const Launch& l) {
  const float* bias = present(l.inputs, 2) ? l.inputs[2].f32() : nullptr;
  const ConvGeometry g = geometry_of(kernel_of(l.inputs[1]));
  const Tensor x = with_pending(l.inputs, 0, 3, as<ConvTransposeForward>(d).slope);
  convolve_cuda(g, true, x, l.inputs[1], {bias}, l.outputs[0], l.workspace);
}

void conv_transpose3d_grad_input_cuda(const Descriptor&, const Launch& l) {
  const ConvGeometry g = geometry_of(kernel_of(l.inputs[1]));
  convolve_cuda(g, false, l.inputs[0], l.inputs[1], {}, l.outputs[0], l.workspace);
}

void conv_transpose3d_grad_weight_cuda(const Descriptor& d, const Launch& l) {
  const Tensor x = with_pending(l.inputs, 0, 2, as<ConvTransposeGradWeight>(d).slope), &gy = l.inputs[1];
  convolve_weight_cuda(geometry_of(kernel_of(l.outputs[0])), gy, x, l.outputs[0], l.workspace);
  if (as<ConvTransposeGradWeight>(d).bias) channel_sums_cuda(gy, l.outputs[1], l.workspace);
}

}  // namespace voxelspark
