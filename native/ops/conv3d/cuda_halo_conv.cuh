// 3 x 3 x 3 convolution of stride 1 on tensor cores, for feature maps of 16-bit values; HaloPlan says of which shapes.
#pragma once
#include "ops/conv3d/cuda_epilogue.cuh"

namespace voxelspark {

// As tensor_gemm_cuda. The workspace has HaloPlan's packed_bytes.
template <class T>
void halo_conv_cuda(const ConvGeometry& g, bool adjoint, const Tensor& source, const Tensor& weight,
                    const ConvStore& store, const Tensor& dest, void* workspace);

// The same by warpgroups, on devices of compute capability 9.0; kRegisters: tiles as operands in registers.
template <class T, bool kRegisters>
void halo_group_cuda(const ConvGeometry& g, bool adjoint, const Tensor& source, const Tensor& weight,
                     const ConvStore& store, const Tensor& dest, void* workspace);

}  // namespace voxelspark
