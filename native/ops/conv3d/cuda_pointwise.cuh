// Gradients of convolutions of one voxel to numbers of channels that tensor cores have no shape for, as a head's: bound
// by memory, 8 channels of a voxel a thread.
#pragma once
#include "ops/conv3d/cuda_epilogue.cuh"

namespace voxelspark {

// The adjoint, from any channels to a multiple of 8; of a store, the bias.
template <class T>
void pointwise_adjoint_cuda(const Tensor& gy, const Tensor& weight, const ConvStore& store, const Tensor& gx);
// gw[k][c] for a multiple of 8 channels of x. The workspace has VoxelSplits::of(x, false).bytes(channels of gy, of x).
template <class T>
void pointwise_weight_cuda(const Tensor& x, const Tensor& gy, const Tensor& gw, void* workspace);

}  // namespace voxelspark
