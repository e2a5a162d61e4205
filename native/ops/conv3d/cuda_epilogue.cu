// Merges the statistics of tiles: chunks of slots first, then the chunks of a sample, 8 rows of threads each, in order.
#include "ops/conv3d/cuda_epilogue.cuh"
#include "ops/reduce/cuda_chan.cuh"
#include "ops/reduce/cuda_reduce.cuh"

namespace voxelspark {

namespace {

// What the threads of a column found; that of the block's first row counts.
__device__ Moments merged_rows(const Lane& at, const Moments& own) {
  SHARED_ARRAY(Moments, rows, [kRows][kLanes]);
  rows[at.row][at.lane] = own;
  __syncthreads();
  Moments all = own;
  for (int r = 1; at.row == 0 && r < kRows; r++) all.merge(rows[r][at.lane]);
  return all;
}

__global__ void merge_slots(MomentSlots slots, MomentsMemory memory, int channels) {
  const Lane at(blockIdx.y);
  const bool active = at.channel < channels;
  const int n = blockIdx.z;
  const int64_t first = slots.begin(n) + static_cast<int64_t>(blockIdx.x) * kMergedSlots, last = first + kMergedSlots;
  const int64_t end = last < slots.end(n) ? last : slots.end(n);
  Moments own = {};
  for (int64_t s = first + at.row; active && s < end; s += kRows) {
    const float* from = memory.partial + s * 2 * channels + at.channel;
    own.merge({static_cast<double>(memory.counts[s]), from[0], from[channels]});
  }
  const Moments all = merged_rows(at, own);
  if (at.row != 0 || !active) return;
  double* to = memory.merged + (n * memory.chunks + blockIdx.x) * 3 * channels + at.channel;
  to[0] = all.voxels;
  to[channels] = all.mean;
  to[2 * channels] = all.m2;
}

__global__ void merge_chunks(MomentsMemory memory, int channels, const float* bias, float* moments) {
  const Lane at(blockIdx.x);
  const bool active = at.channel < channels;
  const int n = blockIdx.y;
  Moments own = {};
  for (int64_t s = at.row; active && s < memory.chunks; s += kRows) {
    const double* from = memory.merged + (n * memory.chunks + s) * 3 * channels + at.channel;
    own.merge({from[0], from[channels], from[2 * channels]});
  }
  const Moments all = merged_rows(at, own);
  if (at.row != 0 || !active) return;
  float* to = moments + static_cast<int64_t>(n) * 2 * channels + at.channel;
  to[0] = static_cast<float>(all.mean + (bias && all.voxels > 0 ? bias[at.channel] : 0));
  to[channels] = static_cast<float>(all.m2);
}

}  // namespace

void merge_moments_cuda(const MomentSlots& slots, const MomentsMemory& memory, const Layout& y, const float* bias,
                        float* moments) {
  const int channels = static_cast<int>(y.channels());
  const unsigned tiles = channel_tiles(channels), samples = static_cast<unsigned>(y.shape.samples());
  const dim3 grid(static_cast<unsigned>(memory.chunks), tiles, samples);
  LAUNCH_KERNEL(merge_slots, grid, kReduceThreads, slots, memory, channels);
  LAUNCH_KERNEL(merge_chunks, dim3(tiles, samples), kReduceThreads, memory, channels, bias, moments);
  check_cuda(cudaGetLastError(), "the statistics of a convolution");
}

}  // namespace voxelspark
