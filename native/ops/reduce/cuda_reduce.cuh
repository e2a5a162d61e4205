// Reductions on the device: thread blocks of 8 rows of 32 channels, sums of a thread in float for a few voxels and in
// double beyond, rows added in order through shared memory. No atomics, so the same bits in every run.
#pragma once
#include "device/cuda_grid.cuh"
#include "ops/reduce/voxel_splits.h"

namespace voxelspark {

constexpr int kLanes = 32, kRows = 8, kReduceThreads = kLanes * kRows;

// Stored voxels [begin, end) of split s of group g.
struct SplitView {
  BlockView blocks;
  bool whole_batch;
  int samples;
  int64_t voxels;  // of a split

  struct Range {
    int64_t begin, end;
    __device__ int64_t count() const { return end > begin ? end - begin : 0; }
  };
  __device__ Range group(int g) const {
    return {whole_batch ? 0 : blocks.first_voxel(g), blocks.first_voxel(whole_batch ? samples : g + 1)};
  }
  __device__ Range split(int g, int64_t s) const {
    const Range all = group(g);
    const int64_t begin = all.begin + s * voxels, end = begin + voxels;
    return {begin, end < all.end ? end : all.end};
  }
};

inline SplitView split_view(const Layout& layout, bool whole_batch, const VoxelSplits& splits) {
  return {view_of(layout), whole_batch, static_cast<int>(layout.shape.samples()), splits.voxels};
}

// Where a thread of such a block works.
struct Lane {
  int row, lane, channel;
  __device__ explicit Lane(int channel_tile)
      : row(threadIdx.x / kLanes), lane(threadIdx.x % kLanes), channel(channel_tile * kLanes + lane) {}
};

// The sum of a value over the rows of the block; every row gets it. To be called by all threads.
__device__ inline double sum_of_rows(const Lane& at, double value) {
  SHARED_ARRAY(double, rows, [kRows][kLanes]);
  rows[at.row][at.lane] = value;
  __syncthreads();
  double sum = 0;
  for (int r = 0; r < kRows; r++) sum += rows[r][at.lane];
  __syncthreads();
  return sum;
}

// sums[k] = over the voxels of the range, of what add(voxel, values) puts into values[k], for the thread's channel.
template <int K, class Values>
__device__ inline void sum_over(const Lane& at, SplitView::Range range, bool active, const Values& values,
                                double (&sums)[K]) {
  constexpr int kRun = 16;  // so few floats are added up without harm
  double total[K] = {};
  for (int64_t first = range.begin + at.row; active && first < range.end; first += kRun * kRows) {
    float part[K] = {};
    for (int i = 0; i < kRun; i++) {
      const int64_t voxel = first + i * kRows;
      if (voxel >= range.end) break;
      float value[K];
      values(voxel, value);
      for (int k = 0; k < K; k++) part[k] += value[k];
    }
    for (int k = 0; k < K; k++) total[k] += part[k];
  }
  for (int k = 0; k < K; k++) sums[k] = sum_of_rows(at, total[k]);
}

// partial[(split * K + k) * channels + channel], added over all splits of a group; every row gets it.
template <int K>
__device__ inline void sum_of_splits(const Lane& at, const double* partial, int64_t splits, int channels, bool active,
                                     double (&sums)[K]) {
  for (int k = 0; k < K; k++) {
    double sum = 0;
    for (int64_t s = at.row; active && s < splits; s += kRows) sum += partial[(s * K + k) * channels + at.channel];
    sums[k] = sum_of_rows(at, sum);
  }
}

// The sum over all threads of a block of kReduceThreads.
__device__ inline double sum_of_block(double value) {
  SHARED_ARRAY(double, values, [kReduceThreads]);
  values[threadIdx.x] = value;
  for (int half = kReduceThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) values[threadIdx.x] += values[threadIdx.x + half];
  }
  __syncthreads();
  const double sum = values[0];
  __syncthreads();  // the next call writes there
  return sum;
}

inline unsigned channel_tiles(int64_t channels) { return static_cast<unsigned>((channels + kLanes - 1) / kLanes); }

// sums[c] over all stored voxels of t; `partial` holds channel_sums_workspace() bytes.
void channel_sums_cuda(const Tensor& t, const Tensor& sums, void* partial);
inline int64_t channel_sums_workspace(const Layout& t) { return VoxelSplits::of(t, true).bytes(1, t.channels()); }

}  // namespace voxelspark
