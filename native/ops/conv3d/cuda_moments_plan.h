// The workspace in which convolutions collect the statistics of y for a norm; from shapes alone.
//
// A tile of y, or a run of stored voxels of one sample, is a *slot*: the number of its voxels, and mean and sum of
// squared deviations of each channel. Slots of a sample are consecutive. Which kernel has which slots only the device
// knows, so there is room for the most.
#pragma once
#include "device/parts.h"
#include "ops/conv3d/cuda_tensor_plan.h"

namespace voxelspark {

constexpr int kFewestRows = 64;    // of a run, of any kernel
constexpr int kMergedSlots = 256;  // that a thread block merges, so that many work on a large volume

struct MomentsMemory {
  int64_t chunks;  // of the slots of a sample
  float* partial;  // [slot][mean, M2][channel]
  int32_t* counts;
  double* merged;  // [sample][chunk][voxels, mean, M2][channel]

  MomentsMemory(Parts& parts, const Layout& y, const std::shared_ptr<const BlockGrid>& cells) {
    const int64_t samples = y.shape.samples(), c = y.channels();
    const int64_t slots = std::max(tiles_of(y.voxels(), kFewestRows) + samples, count_tiles(y, cells, kTileDepth));
    int64_t most = 0;  // of a sample; its runs or tiles are at most its share and two cut ones
    for (int64_t n = 0; n < samples; n++) most = std::max(most, y.voxels_of(n));
    const int64_t of_sample = y.voxels() ? tiles_of(slots * most, y.voxels()) + 2 : 1;
    chunks = tiles_of(of_sample, kMergedSlots);
    partial = parts.take<float>(slots * 2 * c);
    counts = parts.take<int32_t>(slots);
    merged = parts.take<double>(samples * chunks * 3 * c);
  }
};

}  // namespace voxelspark
