#include "ops/conv3d/winograd_moments.h"

#include <algorithm>

#include "ops/reduce/channel_moments.h"

namespace voxelspark {

void LeftSums::set(WinogradOutput& o, int64_t sample, int64_t offset, int64_t first) const {
  if (!norm.to) return;
  o.x = norm.x.f32() + offset;
  o.affine = norm.x.pending.of(sample) + first;
  o.affine_stride = norm.x.layout.channels();
  o.slope = norm.x.pending.slope;
}

ChunkSums::ChunkSums(const LeftSums& left, size_t chunks, int64_t channels)
    : left_(left), channels_(channels), parts_(left ? chunks * 2 * channels : 0), voxels_(left ? chunks : 0) {}

void ChunkSums::set(int64_t chunk, int64_t first, int64_t valid, const float* sums, int64_t width, int64_t voxels) {
  if (!left_) return;
  double *one = &parts_[chunk * 2 * channels_ + first], *two = one + channels_;
  for (int64_t k = 0; k < valid; k++) {
    const double a = sums[k], b = sums[width + k], square = left_.moments ? sums[2 * width + k] : 0;
    one[k] = left_.moments ? a + b / static_cast<double>(voxels) : a;
    two[k] = left_.moments ? std::max(0.0, square - b * b / static_cast<double>(voxels)) : b;
  }
  if (first == 0) voxels_[chunk] = voxels;
}

void ChunkSums::merge(const Cells& cells, const Tiles& tiles, const std::vector<Chunk>& chunks) const {
  if (!left_) return;
  float* to = left_.to();
  size_t i = 0;
  for (size_t n = 0; n + 1 < cells.first.size(); n++, to += 2 * channels_) {
    const int64_t end = tiles.before(cells.first[n + 1]);
    std::vector<double> whole(2 * channels_);
    double count = 0;
    for (; i < chunks.size() && chunks[i].first < end; i++) {
      const double voxels = static_cast<double>(voxels_[i]);
      const double* part = &parts_[i * 2 * channels_];
      if (left_.moments)
        merge_moments({whole.data(), whole.data() + channels_}, count, part, part + channels_, voxels, channels_);
      else
        for (int64_t k = 0; k < 2 * channels_; k++) whole[k] += part[k];
      count += voxels;
    }
    std::copy(whole.begin(), whole.end(), to);
  }
}

}  // namespace voxelspark
