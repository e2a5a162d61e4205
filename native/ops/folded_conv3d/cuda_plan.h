// The workspaces of the CUDA kernels.
#pragma once
#include "ops/folded_conv3d/folded_conv3d.h"
#include "ops/reduce/voxel_splits.h"

namespace voxelspark {

struct FoldedParts {
  double* tap_sums;  // [tap][k]: weight times token
  float* table;      // [place][k]: what a filled neighbourhood of tokens gives, and the bias

  FoldedParts(Parts& parts, const Layout& weight)
      : tap_sums(parts.take<double>(weight.shape.size().product() * weight.shape[0])),
        table(parts.take<float>(kPlaces * weight.shape[0])) {}
};

struct ConstantsParts {
  static constexpr int64_t kRowsOfSplit = 256;  // outputs and taps that a part of the token's gradient adds up
  int64_t splits, token_splits;                 // of the voxels; of outputs and taps
  double *partial, *places, *taps, *token;      // [place][split][k], [place][k], [tap][k], [split][c]

  ConstantsParts(Parts& parts, const Layout& gy, const Layout& weight)
      : splits(VoxelSplits::of(gy, true).splits),
        token_splits((weight.shape[0] * weight.shape.size().product() + kRowsOfSplit - 1) / kRowsOfSplit),
        partial(parts.take<double>(kPlaces * splits * gy.channels())),
        places(parts.take<double>(kPlaces * gy.channels())),
        taps(parts.take<double>(weight.shape.size().product() * gy.channels())),
        token(parts.take<double>(token_splits * weight.shape[1])) {}
};

}  // namespace voxelspark
