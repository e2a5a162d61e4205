// Reductions on the device: thread blocks of 8 rows of 32 channels, sums of a thread in float for a few voxels and in
// double beyond, rows added in order through shared memory. No atomics, so the same bits in every run.
#pragma once
#include <type_traits>

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

// What such a thread loads: V channels in a row of a voxel, so that a block reads 32 channels of many voxels at once.
template <int V>
struct Loads {
  static constexpr int kThreads = kLanes / V, kVoxels = kReduceThreads / kThreads;
  int voxel, first, channel;  // of the block's; first channel in the block's and in all
  __device__ explicit Loads(int channel_tile)
      : voxel(threadIdx.x / kThreads), first(threadIdx.x % kThreads * V), channel(channel_tile * kLanes + first) {}
};

// Calls body(V) as a constant: channels in 16 bytes where they divide all channels, else 1.
template <class T, class Body>
void by_vector(int64_t channels, const Body& body) {
  if (channels % kVector<T> == 0) body(std::integral_constant<int, kVector<T>>{});
  else body(std::integral_constant<int, 1>{});
}

// sums[k] = over the voxels of the range, of what add(voxel, values) puts into values[k] for the channels that the
// thread loads; every row of the block gets them, for its own channel. To be called by all threads.
template <int K, int V, class Values>
__device__ inline void sum_over(const Lane& at, const Loads<V>& own, SplitView::Range range, int channels,
                                const Values& values, double (&sums)[K]) {
  constexpr int kRun = 16, kStep = Loads<V>::kVoxels;  // so few floats are added up without harm
  double total[K][V] = {};
  for (int64_t first = range.begin + own.voxel; own.channel < channels && first < range.end; first += kRun * kStep) {
    float part[K][V] = {};
    const auto add = [&](int64_t voxel) {
      Channels<V> value[K];
      values(voxel, value);
#pragma unroll
      for (int k = 0; k < K; k++)
#pragma unroll
        for (int i = 0; i < V; i++) part[k][i] += value[k].v[i];
    };
    if (first + (kRun - 1) * kStep < range.end) {  // without a look at the end, loads go ahead of sums
#pragma unroll 4
      for (int i = 0; i < kRun; i++) add(first + i * kStep);
    } else {
      for (int64_t voxel = first; voxel < range.end; voxel += kStep) add(voxel);
    }
#pragma unroll
    for (int k = 0; k < K; k++)
#pragma unroll
      for (int i = 0; i < V; i++) total[k][i] += part[k][i];
  }
  SHARED_ARRAY(double, lines, [kStep][kLanes]);
#pragma unroll
  for (int k = 0; k < K; k++) {
#pragma unroll
    for (int i = 0; i < V; i++) lines[own.voxel][own.first + i] = total[k][i];
    __syncthreads();
    double sum = 0;
    for (int line = at.row; line < kStep; line += kRows) sum += lines[line][at.lane];
    sums[k] = sum_of_rows(at, sum);
  }
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
  for (unsigned half = kReduceThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) values[threadIdx.x] += values[threadIdx.x + half];
  }
  __syncthreads();
  const double sum = values[0];
  __syncthreads();  // the next call writes there
  return sum;
}

inline unsigned channel_tiles(int64_t channels) { return static_cast<unsigned>((channels + kLanes - 1) / kLanes); }

// sums[c] of partial[split][c].
void channel_totals_cuda(const double* partial, int64_t splits, int channels, float* sums, const char* what);

// sums[c] over all stored voxels of t; `partial` holds channel_sums_workspace() bytes.
void channel_sums_cuda(const Tensor& t, const Tensor& sums, void* partial);
inline int64_t channel_sums_workspace(const Layout& t) { return VoxelSplits::of(t, true).bytes(1, t.channels()); }

}  // namespace voxelspark
