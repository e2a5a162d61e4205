#include "ops/conv3d/winograd_moments.h"

#include <algorithm>

#include "ops/reduce/channel_moments.h"

namespace voxelspark {

ChunkMoments::ChunkMoments(int64_t chunks, int64_t channels)
    : channels_(channels), parts_(chunks * 2 * channels), voxels_(chunks) {}

void ChunkMoments::set(int64_t chunk, int64_t first, int64_t valid, const float* sums, int64_t width, int64_t voxels) {
  double *mean = &parts_[chunk * 2 * channels_ + first], *m2 = mean + channels_;
  for (int64_t k = 0; k < valid; k++) {
    const double value = sums[k], sum = sums[width + k], square = sums[2 * width + k];
    mean[k] = value + sum / static_cast<double>(voxels);
    m2[k] = std::max(0.0, square - sum * sum / static_cast<double>(voxels));
  }
  if (first == 0) voxels_[chunk] = voxels;
}

void ChunkMoments::merge(const Cells& cells, const Tiles& tiles, const std::vector<Chunk>& chunks,
                         float* moments) const {
  size_t i = 0;
  for (size_t n = 0; n + 1 < cells.first.size(); n++, moments += 2 * channels_) {
    const int64_t end = tiles.before(cells.first[n + 1]);
    std::vector<double> whole(2 * channels_);
    double count = 0;
    for (; i < chunks.size() && chunks[i].first < end; i++) {
      const double voxels = static_cast<double>(voxels_[i]);
      const double* part = &parts_[i * 2 * channels_];
      merge_moments({whole.data(), whole.data() + channels_}, count, part, part + channels_, voxels, channels_);
      count += voxels;
    }
    std::copy(whole.begin(), whole.end(), moments);
  }
}

}  // namespace voxelspark
