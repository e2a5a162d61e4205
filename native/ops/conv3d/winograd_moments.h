// Statistics out of the output transform: those of each chunk of tiles, merged in the order of the chunks. Chunks
// follow from the tiles and never straddle samples, so that no bit depends on threads.
#pragma once
#include <vector>

#include "ops/conv3d/winograd_cells.h"

namespace voxelspark {

class ChunkMoments {
 public:
  ChunkMoments(int64_t chunks, int64_t channels);
  // `valid` channels of a chunk from `first` on, over `voxels` voxels: sums[0][k] is a value, sums[1][k] and sums[2][k]
  // are the sums of differences from it and of their squares, in rows of `width`. One thread a chunk and channel.
  void set(int64_t chunk, int64_t first, int64_t valid, const float* sums, int64_t width, int64_t voxels);
  // moments[sample][mean, sum of squared deviations][C]
  void merge(const Cells& cells, const Tiles& tiles, const std::vector<Chunk>& chunks, float* moments) const;

 private:
  int64_t channels_;
  std::vector<double> parts_;  // [chunk][mean, m2][C]
  std::vector<int64_t> voxels_;
};

}  // namespace voxelspark
