#include "core/block_grid.h"

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

}  // namespace voxelspark
