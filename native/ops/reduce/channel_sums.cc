#include "ops/reduce/channel_sums.h"

#include "device/parallel.h"
#include "ops/reduce/columns.h"
#include "ops/reduce/simd.h"

namespace voxelspark {

void channel_sums(const Tensor& t, const Tensor& sums) {
  const int64_t channels = t.layout.channels(), width = column_width(channels);
  const std::vector<VoxelChunk> chunks = voxel_chunks(t.layout);
  const int64_t count = static_cast<int64_t>(chunks.size());
  std::vector<double> partial(count * channels);
  const auto add_columns = simd_add_columns();
  parallel_items(count, kChunkElements, [&](int64_t i) {
    std::vector<double> columns(width);
    add_columns(t.f32() + chunks[i].first * channels, chunks[i].voxels * channels, width, columns.data());
    fold_columns(columns.data(), channels, &partial[i * channels]);
  });
  for (int64_t c = 0; c < channels; c++) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += partial[i * channels + c];
    sums.f32()[c] = static_cast<float>(sum);
  }
}

}  // namespace voxelspark
