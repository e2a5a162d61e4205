// Sums per channel of channels-last voxels, in chunks that follow from the shape alone.
#pragma once
#include <cstdint>
#include <vector>

#include "core/tensor.h"

namespace voxelspark {

constexpr int64_t kChunkElements = 1 << 15;  // 128 KB: a second pass over a chunk finds it in the L2 cache

// Elements per row of a column reduction: the channels, repeated until rows fill vectors of any instruction
// set.
inline int64_t column_width(int64_t channels) {
  if (channels >= 64) return channels;
  int64_t width = channels;
  while (width % 16 || width < 64) width += channels;
  return width;
}

// Adds the columns of each channel; `columns` holds column_width(channels) values.
inline void fold_columns(const double* columns, int64_t channels, double* sums) {
  for (int64_t c = 0; c < channels; c++) sums[c] = 0;
  for (int64_t k = 0, width = column_width(channels); k < width; k++) sums[k % channels] += columns[k];
}

struct VoxelChunk {
  int64_t sample, first, voxels;  // first voxel in storage order
};

// Runs of stored voxels, none of which straddles samples.
inline std::vector<VoxelChunk> voxel_chunks(const Layout& layout) {
  const int64_t c = layout.channels(), most = kChunkElements > c ? kChunkElements / c : 1;
  std::vector<VoxelChunk> chunks;
  int64_t first = 0;
  for (int64_t n = 0; n < layout.shape.samples(); n++)
    for (int64_t left = layout.voxels_of(n); left > 0;) {
      const int64_t voxels = left < most ? left : most;
      chunks.push_back({n, first, voxels});
      first += voxels;
      left -= voxels;
    }
  return chunks;
}

}  // namespace voxelspark
