// Winograd convolution: kernel 3, stride 1, padding 1, in tiles F(2,2,2) or F(2,4,4) (Lavin and Gray 2016).
// 3.4 and 6 times fewer multiplications than the direct engine for rounding errors of at most 5e-6 and 1e-4 of the
// output's standard deviation (up to 640 channels). Every output of a tile sees all its inputs, so an
// infinite or NaN voxel reaches up to 5 voxels further than in the direct engine.
//
// One sum per output and frequency, in channel order: no bit depends on threads or on how tiles are grouped.
#pragma once
#include "ops/conv3d/conv3d.h"
#include "ops/conv3d/maps.h"
#include "ops/reduce/norm_sums.h"

namespace voxelspark {

// The attribute `winograd` of the convolution kernels: what the caller allows.
// The last two are for tests and comparisons: that form wherever it is possible, faster or not.
enum Winograd : int64_t { kWinogradOff = 0, kWinogradF2 = 1, kWinogradF4 = 2, kForceF2 = 3, kForceF4 = 4 };

// The tile edge m of F(2, m, m) that runs a convolution from `source` to `dest` fastest; 0: the direct engine does.
int winograd_tile(int64_t allowed, const ConvGeometry& g, const Layout& source, const Layout& dest);

int64_t winograd_workspace(int m, const Layout& source, const Layout& dest);  // bytes

// Of several maps, all but the last need channels in multiples of this: each fills whole vectors of transformed
// channels.
constexpr int64_t kJoinedChannels = 16;

// y = conv(x) + bias (null: none); moments: of y, (N, 2, C), out of the output transform; null: not wanted.
void winograd_forward(int m, const Maps& x, const Tensor& weight, const float* bias, const Tensor& y, void* workspace,
                      float* moments);
// y += conv(x) for a dense y and a sparse x, computed only where a tile sees a stored voxel of x.
int64_t winograd_add_workspace(int m, const Layout& x, const Layout& y);  // bytes
void winograd_add(int m, const Tensor& x, const Tensor& weight, const Tensor& y, void* workspace);
// gx = the gradient of the input: the convolution of gy with flipped weights from K to C channels; sums of it, where
// they are wanted, come out of the output transform.
void winograd_grad_input(int m, const Tensor& gy, const Tensor& weight, const Maps& gx, void* workspace,
                         const NormSums& sums);

// The tile edge m that computes gw, the gradient of the weight, fastest; 0: the direct engine does. Rounding is at most
// 5e-6 (F(2,2,2)) and 3e-5 (F(2,4,4)) of the largest gradient.
int winograd_grad_weight_tile(int64_t allowed, const ConvGeometry& g, const Layout& x, const Layout& gy);
int64_t winograd_grad_weight_workspace(int m, const Layout& x, const Layout& gy);  // bytes
// gb: the gradient of the bias, sums over gy; null: not wanted.
void winograd_grad_weight(int m, const Maps& x, const Tensor& gy, const Tensor& gw, float* gb, void* workspace);

}  // namespace voxelspark
