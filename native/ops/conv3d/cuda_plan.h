// How the CUDA kernels of convolution share out work; from shapes alone, so that results do not depend on the device.
#pragma once
#include <algorithm>

#include "ops/conv3d/conv3d.h"

namespace voxelspark {

constexpr int kConvTile = 64;   // rows and columns of the product that a thread block computes
constexpr int kConvDepth = 16;  // of a slice of the sum

// The weight gradient sums over all voxels of gy, in splits that are added in order.
struct WeightSplits {
  int64_t splits, voxels;  // voxels of a split, a multiple of kConvDepth

  static WeightSplits of(const Layout& gy, int64_t columns) {
    constexpr int64_t kWantedBlocks = 512, kLeastVoxels = 1024;
    const auto tiles = [](int64_t n) { return (n + kConvTile - 1) / kConvTile; };
    const int64_t all = gy.voxels(), products = tiles(gy.channels()) * tiles(columns);
    const int64_t most = std::max<int64_t>(1, all / kLeastVoxels);
    const int64_t wanted = std::min(most, std::max<int64_t>(1, kWantedBlocks / products));
    const int64_t voxels = ((all + wanted - 1) / wanted + kConvDepth - 1) / kConvDepth * kConvDepth;
    return {voxels ? (all + voxels - 1) / voxels : 1, std::max<int64_t>(kConvDepth, voxels)};
  }
};

// Bytes. The bias gradient, of the sums of `biased`, uses the same memory afterwards; null: there is none. `split`: of
// two maps joined to x, the channels of the first.
int64_t cuda_weight_gradient_workspace(const ConvGeometry& g, const Layout& x, const Layout& gy, const Layout* biased,
                                       int64_t split = 0);

}  // namespace voxelspark
