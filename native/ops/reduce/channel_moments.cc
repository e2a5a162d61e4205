#include "ops/reduce/channel_moments.h"

#include "device/parallel.h"
#include "ops/reduce/columns.h"
#include "ops/reduce/simd.h"

namespace voxelspark {

using Doubles = std::vector<double>;

void merge_moments(const Moments& whole, double before, const double* mean, const double* m2, double count,
                   int64_t channels) {
  const double share = count / (before + count), cross = before * share;
  for (int64_t k = 0; k < channels; k++) {
    const double delta = mean[k] - whole.mean[k];
    whole.mean[k] += delta * share;
    whole.m2[k] += m2[k] + delta * delta * cross;
  }
}

static void moments_of(const float* from, int64_t voxels, int64_t c, const Moments& to) {
  const int64_t width = column_width(c);
  Doubles columns(3 * width), sums(c);
  double *pivot = &columns[0], *first = pivot + width, *second = first + width;
  simd_add_columns()(from, voxels * c, width, first);
  fold_columns(first, c, to.mean);
  for (int64_t k = 0; k < c; k++) to.mean[k] /= static_cast<double>(voxels);
  for (int64_t k = 0; k < width; k++) pivot[k] = to.mean[k % c], first[k] = 0;
  simd_add_moments()(from, voxels * c, width, pivot, first, second);
  fold_columns(first, c, &sums[0]);
  fold_columns(second, c, to.m2);
  // The first moment is the rounding error of the mean.
  for (int64_t k = 0; k < c; k++) to.m2[k] -= sums[k] * sums[k] / static_cast<double>(voxels);
}

Doubles channel_moments(const Tensor& t) {
  const int64_t c = t.layout.channels(), samples = t.layout.shape.samples();
  const std::vector<VoxelChunk> chunks = voxel_chunks(t.layout);
  Doubles parts(chunks.size() * 2 * c), merged(samples * 2 * c), counts(samples);
  parallel_for(static_cast<int64_t>(chunks.size()), [&](int64_t i) {
    moments_of(t.f32() + chunks[i].first * c, chunks[i].voxels, c, {&parts[i * 2 * c], &parts[(i * 2 + 1) * c]});
  });
  for (size_t i = 0; i < chunks.size(); i++) {
    const int64_t n = chunks[i].sample;
    const double voxels = static_cast<double>(chunks[i].voxels);
    merge_moments({&merged[n * 2 * c], &merged[(n * 2 + 1) * c]}, counts[n], &parts[i * 2 * c], &parts[(i * 2 + 1) * c],
                  voxels, c);
    counts[n] += voxels;
  }
  return merged;
}

}  // namespace voxelspark
