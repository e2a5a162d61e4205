// Convolution on the device by whichever engine suits; see cuda_engine.h.
#pragma once
#include "ops/conv3d/cuda_epilogue.cuh"

namespace voxelspark {

// conv3d forward or its adjoint; weights are [K][tap][C], the workspace is convolution_workspace()'s.
void convolve_cuda(const ConvGeometry& g, bool adjoint, const Tensor& source, const Tensor& weight,
                   const ConvStore& store, const Tensor& dest, void* workspace);
// gw[k][tap][c]; the workspace is cuda_weight_gradient_workspace()'s.
void convolve_weight_cuda(const ConvGeometry& g, const Tensor& x, const Tensor& gy, const Tensor& gw, void* workspace);

}  // namespace voxelspark
