// Which cells of a regular grid are visible. One grid serves every stage of a network: the block ids stay, only
// the block edge (volume size / cells) shrinks. Blocks are numbered in order of their cell, so the blocks of a
// sample are consecutive and in C order.
#pragma once
#include <cstdint>
#include <vector>

#include "core/shape.h"

namespace voxelspark {

struct BlockGrid {
  static constexpr int32_t kMasked = -1;

  int64_t samples;
  Int3 cells;                        // per sample
  std::vector<int32_t> block_of;     // cell (n, z, y, x) -> block id or kMasked
  std::vector<int32_t> cell_of;      // block id -> cell
  std::vector<int32_t> first_block;  // sample -> its first block; one entry more than samples

  BlockGrid(int64_t samples, Int3 cells, const uint8_t* visible);
  // Other cells of the same number in each sample; what does not depend on where they are stays as it is.
  void move_to(const BlockGrid& other);

  int64_t blocks() const { return static_cast<int64_t>(cell_of.size()); }
  int64_t cells_per_sample() const { return cells.product(); }
  int64_t sample_of(int64_t block) const { return cell_of[block] / cells_per_sample(); }
  // First voxel of a block in its sample, for blocks of the given edge.
  Int3 corner_of(int64_t block, Int3 edge) const {
    const int64_t cell = cell_of[block] % cells_per_sample();
    return Int3{cell / (cells.y * cells.x), cell / cells.x % cells.y, cell % cells.x} * edge;
  }
};

}  // namespace voxelspark
