// The gather GEMM on tensor cores, for feature maps of 16-bit values; see cuda_tensor_plan.h for what it takes.
#pragma once
#include "ops/conv3d/cuda_epilogue.cuh"

namespace voxelspark {

// conv3d forward, and with `adjoint` its adjoint; T is __nv_bfloat16 or __half. Weights are float32, [K][tap][C]; a
// bias may be null. The workspace has TensorGemmPlan's bytes.
template <class T>
void tensor_gemm_cuda(const ConvGeometry& g, bool adjoint, const Tensor& source, const Tensor& weight,
                      const ConvStore& store, const Tensor& dest, void* workspace);

// The same by warpgroups, on devices of compute capability 9.0, for what TensorGemmPlan::of_groups takes.
template <class T>
void group_gemm_cuda(const ConvGeometry& g, bool adjoint, const Tensor& source, const Tensor& weight,
                     const ConvStore& store, const Tensor& dest, void* workspace);
// Whether this build has code for products of warpgroups.
bool has_group_code();

}  // namespace voxelspark
