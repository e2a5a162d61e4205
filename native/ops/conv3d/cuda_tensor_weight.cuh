// Gradients of weights on tensor cores, for feature maps of 16-bit values; cuda_tensor_plan.h says of which shapes.
#pragma once
#include "device/cuda.cuh"
#include "ops/conv3d/cuda_tensor_plan.h"

namespace voxelspark {

// gw[k][tap][c] in float32. The workspace has the bytes of HaloWeightPlan or TensorWeightPlan.
template <class T>
void halo_weight_cuda(const ConvGeometry& g, const Tensor& x, const Tensor& gy, const Tensor& gw, void* workspace);
template <class T>
void tensor_weight_cuda(const ConvGeometry& g, const Tensor& x, const Tensor& gy, const Tensor& gw, void* workspace);

}  // namespace voxelspark
