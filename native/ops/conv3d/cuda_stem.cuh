// 3 x 3 x 3 convolution of stride 1 from up to 4 channels, a network's first, and its weight gradient: too few channels
// for a step of a tensor-core kernel, and so few multiply-adds that memory decides.
#pragma once
#include "ops/conv3d/cuda_epilogue.cuh"

namespace voxelspark {

// To multiples of 32 channels, where StemPlan says so. Statistics are left by tiles of kTileDepth planes.
template <class T>
void stem_conv_cuda(const Tensor& x, const Tensor& weight, const ConvStore& store, const Tensor& y);
// gw[k][tap][c] in float32. The workspace has StemPlan's partial_bytes.
template <class T>
void stem_weight_cuda(const Tensor& x, const Tensor& gy, const Tensor& gw, void* workspace);

}  // namespace voxelspark
