// Forward convolution on the CPU for other ops: the engine is chosen as for conv3d_forward.
#pragma once
#include "ops/conv3d/conv3d.h"
#include "ops/conv3d/maps.h"

namespace voxelspark {

int64_t convolve_workspace(const ConvGeometry& g, int64_t winograd, const Layout& x, const Layout& y);  // bytes
// y = conv(x) + bias (null: none); moments: those of y, (N, 2, C), null where they are not wanted.
void convolve(const ConvGeometry& g, int64_t winograd, const Maps& x, const Tensor& weight, const float* bias,
              const Tensor& y, void* workspace, float* moments = nullptr);

int64_t convolve_add_workspace(const ConvGeometry& g, int64_t winograd, const Layout& x, const Layout& y);  // bytes
// y += conv(x) for a sparse x and a dense y. Only tiles that see a stored voxel of x are computed.
void convolve_add(const ConvGeometry& g, int64_t winograd, const Tensor& x, const Tensor& weight, const Tensor& y,
                  void* workspace);

}  // namespace voxelspark
