// How the CUDA kernels share out reductions over voxels: by splits whose size follows from the shape alone, so that
// the partial sums and the order in which they are added are the same on every device and in every run.
#pragma once
#include <algorithm>

#include "core/tensor.h"

namespace voxelspark {

// Voxels of each group (a sample, or all samples together) in splits, the same number for every group; the last ones
// of a group with fewer voxels are short or empty.
struct VoxelSplits {
  int64_t groups, splits, voxels;  // voxels of a split

  static VoxelSplits of(const Layout& layout, bool whole_batch) {
    constexpr int64_t kLeast = 512, kMostSplits = 256;
    const int64_t samples = layout.shape.samples();
    int64_t most = whole_batch ? layout.voxels() : 0;
    for (int64_t n = 0; !whole_batch && n < samples; n++) most = std::max(most, layout.voxels_of(n));
    const int64_t voxels = std::max(kLeast, (most + kMostSplits - 1) / kMostSplits);
    return {whole_batch ? 1 : samples, std::max<int64_t>(1, (most + voxels - 1) / voxels), voxels};
  }
  // Bytes of `values` doubles a channel for every split.
  int64_t bytes(int64_t values, int64_t channels) const {
    return groups * splits * values * channels * static_cast<int64_t>(sizeof(double));
  }
};

// The same for a flat run of elements.
struct ElementSplits {
  int64_t splits, elements;

  static ElementSplits of(int64_t all) {
    constexpr int64_t kLeast = 1 << 12, kMostSplits = 512;
    const int64_t elements = std::max(kLeast, (all + kMostSplits - 1) / kMostSplits);
    return {std::max<int64_t>(1, (all + elements - 1) / elements), elements};
  }
};

}  // namespace voxelspark
