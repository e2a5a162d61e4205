// What kernels of convolution do with their sums beside rounding and storing them: the statistics of y for a norm, out
// of the float32 sums before they are rounded.
//
// A thread block takes mean and sum of squared deviations of its tile, in two passes over registers, its lines of
// threads added in order. A second kernel merges tiles by Chan's formula in a fixed order. No tile and no run of rows
// straddles samples; nothing is atomic; so the same bits in every run.
#pragma once
#include "device/cuda_grid.cuh"
#include "device/cuda_tensor.cuh"
#include "ops/conv3d/cuda_moments_plan.h"

namespace voxelspark {

// Where tiles leave their statistics; a null `partial`: nobody wants them.
struct MomentParts {
  float* partial = nullptr;
  int32_t* counts = nullptr;
  int channels = 0;

  __device__ void write(int64_t slot, int c, float mean, float m2) const {
    if (c >= channels) return;
    float* to = partial + slot * 2 * channels + c;
    to[0] = mean;
    to[channels] = m2;
  }
};

// What a convolution does with a sum: it adds a bias and stores it, or adds it to what y holds.
struct ConvStore {
  const float* bias = nullptr;
  bool adds = false;
  MomentParts moments = {};
};

// A word of y and two more sums, rounded.
template <class T>
__device__ inline uint32_t sum_of(uint32_t word, float low, float high) {
  float old_low, old_high;
  unpack<T>(word, old_low, old_high);
  return pack<T>(old_low + low, old_high + high);
}

// The statistics of one slot. A thread holds kRows rows, of which the bits of `rows` exist, of kColumns columns:
// value(row, column). X is how the threads of a tile add up: total() over the threads that share registers' rows, put()
// and sum() over lines of threads, sync() for all of them.
template <int kRows, int kColumns, class X, class Value>
__device__ void slot_moments(const X& x, const MomentParts& to, int64_t slot, int count, int first_channel,
                             uint32_t rows, const Value& value) {
  const float share = 1.0f / static_cast<float>(count);
  float mean[kColumns];
#pragma unroll
  for (int c = 0; c < kColumns; c++) {
    float sum = 0;
#pragma unroll
    for (int r = 0; r < kRows; r++) sum += rows >> r & 1 ? value(r, c) : 0.0f;
    x.put(c, x.total(sum));
  }
  x.sync();
#pragma unroll
  for (int c = 0; c < kColumns; c++) mean[c] = x.sum(c) * share;
  x.sync();
#pragma unroll
  for (int c = 0; c < kColumns; c++) {
    float sum = 0;
#pragma unroll
    for (int r = 0; r < kRows; r++) {
      const float deviation = rows >> r & 1 ? value(r, c) - mean[c] : 0.0f;
      sum = fmaf(deviation, deviation, sum);
    }
    x.put(c, x.total(sum));
  }
  x.sync();
  if (x.writes()) {
#pragma unroll
    for (int c = 0; c < kColumns; c++) to.write(slot, first_channel + x.column(c), mean[c], x.sum(c));
    if (first_channel == 0 && x.column(0) == 0) to.counts[slot] = count;
  }
  x.sync();  // the next slot is put where this one lay
}

// Sums as matrix products of warps leave them: lanes 4 i + q hold row i of 8 and columns 2 q, 2 q + 1 of every 8.
// kLines warps share a column; they meet at a named barrier.
template <int kLines, int kColumns>
struct FragmentLines {
  static constexpr int kBytes = kLines * kColumns * 4;
  SharedAddress shared;  // kBytes
  int line, first_column, barrier, threads;

  __device__ static int lane() { return static_cast<int>(threadIdx.x) % kWarpThreads; }
  __device__ int column(int c) const { return first_column + c / 2 * 8 + lane() % 4 * 2 + c % 2; }
  __device__ float total(float sum) const {
#pragma unroll
    for (int step = 4; step < kWarpThreads; step *= 2) sum += shuffle_xor(sum, step);
    return sum;
  }
  __device__ void put(int c, float sum) const {
    if (lane() < 4) store_shared(shared + (line * kColumns + column(c)) * 4, sum);
  }
  __device__ float sum(int c) const {
    float sum = 0;
#pragma unroll
    for (int l = 0; l < kLines; l++) {
      float part;
      load_shared(shared + (l * kColumns + column(c)) * 4, part);
      sum += part;
    }
    return sum;
  }
  __device__ void sync() const { named_barrier(barrier, threads); }
  __device__ bool writes() const { return line == 0 && lane() < 4; }
};

// Sums of kernels without tensor cores: lines of threads, each thread with some columns in a row.
template <int kLines, int kColumns>
struct ThreadLines {
  float (&lines)[kLines][kColumns];
  int line, first_column;

  __device__ int column(int c) const { return first_column + c; }
  __device__ float total(float sum) const { return sum; }
  __device__ void put(int c, float sum) const { lines[line][column(c)] = sum; }
  __device__ float sum(int c) const {
    float sum = 0;
#pragma unroll
    for (int l = 0; l < kLines; l++) sum += lines[l][column(c)];
    return sum;
  }
  __device__ void sync() const { __syncthreads(); }
  __device__ bool writes() const { return line == 0; }
};

// The rows [first, first + count) of a product whose rows are the stored voxels of y, sample by sample: calls
// visit(slot, count, begin, end) for the run of each sample among them. Slots: runs are cut by samples and by tiles,
// and from run to run one of the two grows.
template <class Visit>
__device__ void each_run(const BlockView& y, int64_t tile, int64_t first, int64_t end, const Visit& visit) {
  if (first >= end) return;
  for (int n = y.sample_of(first); first < end; n++) {
    const int64_t bound = y.first_voxel(n + 1), stop = bound < end ? bound : end;
    if (stop > first) visit(tile + n, static_cast<int>(stop - first), first, stop);
    first = stop > first ? stop : first;
  }
}

// The slots of a sample: runs of `rows` voxels, or `tiles` tiles a stored block.
struct MomentSlots {
  BlockView y;
  int64_t rows, tiles;

  __host__ __device__ int64_t begin(int n) const {
    if (!rows) return (y.first_block ? y.first_block[n] : n) * tiles;
    return y.first_voxel(n) / rows + n;
  }
  __host__ __device__ int64_t end(int n) const {
    if (!rows) return begin(n + 1);
    return y.first_voxel(n + 1) == y.first_voxel(n) ? begin(n) : (y.first_voxel(n + 1) - 1) / rows + n + 1;
  }
};

// Merges all slots; moments: (N, 2, C). A bias that the sums do not hold yet may be null.
void merge_moments_cuda(const MomentSlots& slots, const MomentsMemory& memory, const Layout& y, const float* bias,
                        float* moments);

}  // namespace voxelspark
