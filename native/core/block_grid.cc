#include "core/block_grid.h"

#include <algorithm>

namespace voxelspark {

BlockGrid::BlockGrid(int64_t samples, Int3 cells, const uint8_t* visible) : samples(samples), cells(cells) {
  const int64_t per_sample = cells.product();
  block_of.assign(samples * per_sample, kMasked);
  first_block.push_back(0);
  for (int64_t n = 0; n < samples; n++) {
    for (int64_t i = n * per_sample; i < (n + 1) * per_sample; i++) {
      if (!visible[i]) continue;
      block_of[i] = static_cast<int32_t>(cell_of.size());
      cell_of.push_back(static_cast<int32_t>(i));
    }
    first_block.push_back(static_cast<int32_t>(cell_of.size()));
  }
}

void BlockGrid::move_to(const BlockGrid& other) {
  std::copy(other.block_of.begin(), other.block_of.end(), block_of.begin());
  std::copy(other.cell_of.begin(), other.cell_of.end(), cell_of.begin());
}

}  // namespace voxelspark
