// Sums out of the output transform: those of each chunk of tiles, merged in the order of the chunks. Chunks follow from
// the tiles and never straddle samples, so that no bit depends on threads.
#pragma once
#include <vector>

#include "ops/conv3d/winograd_cells.h"
#include "ops/reduce/norm_sums.h"

namespace voxelspark {

// What is to be left of the outputs: their moments, (N, 2, C), for a normalisation that follows; or what the backward
// pass of the one before sums up; or nothing.
struct LeftSums {
  float* moments = nullptr;
  NormSums norm = {};

  explicit operator bool() const { return to() != nullptr; }
  float* to() const { return moments ? moments : norm.to; }
  // Where a tile reads what it needs: its outputs start at `offset` from those of the tensor, at channel `first`.
  void set(WinogradOutput& o, int64_t sample, int64_t offset, int64_t first) const;
};

class ChunkSums {
 public:
  ChunkSums(const LeftSums& left, size_t chunks, int64_t channels);
  // `valid` channels of a chunk from `first` on, over `voxels` voxels: the sums of WinogradOutput, in rows of `width`.
  // One thread a chunk and channel.
  void set(int64_t chunk, int64_t first, int64_t valid, const float* sums, int64_t width, int64_t voxels);
  // left.to()[sample][2][C]
  void merge(const Cells& cells, const Tiles& tiles, const std::vector<Chunk>& chunks) const;

 private:
  LeftSums left_;
  int64_t channels_;
  std::vector<double> parts_;  // [chunk][2][C]: mean and m2, or the two sums
  std::vector<int64_t> voxels_;
};

}  // namespace voxelspark
