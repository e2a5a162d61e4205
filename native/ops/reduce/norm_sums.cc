#include "ops/reduce/norm_sums.h"

#include "device/parallel.h"
#include "ops/reduce/columns.h"
#include "ops/reduce/simd.h"

namespace voxelspark {

using Doubles = std::vector<double>;

// Mean, scale and shift of a sample, each repeated to a row of columns.
static std::vector<float> columns_of(const Tensor& x, int64_t sample) {
  const int64_t c = x.layout.channels(), width = column_width(c);
  const float* from = x.pending.of(sample);
  std::vector<float> columns(3 * width);
  for (int64_t i = 0; i < 3 * width; i++) columns[i] = from[i / width * c + i % width % c];
  return columns;
}

Doubles norm_sums(const Tensor& g, const Tensor& x) {
  const int64_t c = x.layout.channels(), samples = x.layout.shape.samples(), width = column_width(c);
  const std::vector<VoxelChunk> chunks = voxel_chunks(x.layout);
  std::vector<std::vector<float>> affine;
  for (int64_t n = 0; n < samples; n++) affine.push_back(columns_of(x, n));
  Doubles parts(chunks.size() * 2 * c), sums(samples * 2 * c);
  const auto add = simd_add_norm_sums();
  parallel_for(static_cast<int64_t>(chunks.size()), [&](int64_t i) {
    const int64_t at = chunks[i].first * c;
    Doubles wide(2 * width);
    add(x.f32() + at, g.f32() + at, chunks[i].voxels * c, width, affine[chunks[i].sample].data(), x.pending.slope,
        &wide[0]);
    fold_columns(&wide[0], c, &parts[i * 2 * c]);
    fold_columns(&wide[width], c, &parts[(i * 2 + 1) * c]);
  });
  for (size_t i = 0; i < chunks.size(); i++)
    for (int64_t k = 0; k < 2 * c; k++) sums[chunks[i].sample * 2 * c + k] += parts[i * 2 * c + k];
  return sums;
}

}  // namespace voxelspark
