// The engines of convolution on the device for every shape and element type, as gather_gemm.h and weight_gradient.h are
// on the CPU. Weights, biases and gradients of weights are float32.
#pragma once
#include "ops/conv3d/cuda_epilogue.cuh"

namespace voxelspark {

// conv3d forward and its adjoint; weights are [K][tap][C]. They do not add to y.
void forward_gemm_cuda(const ConvGeometry& g, const Tensor& x, const Tensor& weight, const ConvStore& store,
                       const Tensor& y);
void adjoint_gemm_cuda(const ConvGeometry& g, const Tensor& gy, const Tensor& weight, const ConvStore& store,
                       const Tensor& gx);
// gw[k][tap][c]; the workspace is cuda_weight_gradient_workspace()'s.
void weight_gradient_cuda(const ConvGeometry& g, const Tensor& x, const Tensor& gy, const Tensor& gw, void* workspace);

}  // namespace voxelspark
