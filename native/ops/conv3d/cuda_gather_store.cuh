// How both forms of the gather GEMM on tensor cores store their sums: at once, with a bias, into one map or two, and
// their statistics; or, where a sum is split, as parts that a second kernel adds in order.
#pragma once
#include "ops/conv3d/cuda_gather_parts.cuh"
#include "ops/reduce/cuda_reduce.cuh"

namespace voxelspark {

template <class T>
__device__ void put_sum(uint16_t* to, float sum, bool adds) {
  *to = static_cast<uint16_t>(adds ? sum_of<T>(*to, sum, 0) : pack<T>(sum, 0));
}
// Two neighbouring channels of a voxel, c being the first.
__device__ inline void put_partial(float* to, int c, const GatherGemm& g, float low, float high) {
  to[c] = low;
  if (c + 1 < g.dest_channels) to[c + 1] = high;
}
template <class T>
__device__ void put_sums(const GatherGemm& g, int64_t voxel, int c, float low, float high) {
  const bool both = c + 1 < g.dest_channels, adds = g.store.adds;
  if (g.store.bias) {
    low += g.store.bias[c];
    if (both) high += g.store.bias[c + 1];
  }
  if (g.y.in_runs_of(2)) {
    uint32_t* word = reinterpret_cast<uint32_t*>(g.y.from(c).of(voxel));
    *word = adds ? sum_of<T>(*word, low, high) : pack<T>(low, high);
    return;
  }
  put_sum<T>(g.y.from(c).of(voxel), low, adds);
  if (both) put_sum<T>(g.y.from(c + 1).of(voxel), high, adds);
}

// The statistics of a tile, unless the sum is split: by warps that hold rows own, own + 8, ... of it. Rows are the
// stored voxels of y in order, for only a forward pass has statistics.
template <int kRowsOfThread, int kColumnsOfThread, class Lines, class Value>
__device__ void gather_moments(const GatherGemm& g, const GatherPart& part, const Lines& lines, int first_column,
                               int own, const Value& value) {
  lines.sync();
  const int64_t first = part.first_row, last = first + kTensorRows, end = last < g.rows.rows ? last : g.rows.rows;
  each_run(g.rows.dest, part.item.rows, first, end, [&](int64_t slot, int count, int64_t from, int64_t to) {
    uint32_t rows = 0;
#pragma unroll
    for (int r = 0; r < kRowsOfThread; r++) {
      const int64_t row = first + own + r * 8;
      if (row >= from && row < to) rows |= 1u << r;
    }
    slot_moments<kRowsOfThread, kColumnsOfThread>(lines, g.store.moments, slot, count, first_column, rows, value);
  });
}

// A lane's sums of one row, as products leave them: of every 8 of kColumns columns two, at line[0] and [1], [4] and [5]
// …
template <class T, int kColumns>
__device__ void write_sums(const GatherGemm& g, int split, int64_t voxel, int column, const float* line) {
  if (voxel < 0) return;
#pragma unroll
  for (int n = 0; n < kColumns / 8; n++) {
    const int c = column + n * 8 + static_cast<int>(threadIdx.x) % 4 * 2;
    if (c >= g.dest_channels) continue;
    const float low = line[n * 4], high = line[n * 4 + 1];
    if (g.partial) put_partial(g.partial + (split * g.dest_voxels + voxel) * g.dest_channels, c, g, low, high);
    else put_sums<T>(g, voxel, c, low, high);
  }
}

// y = bias + the parts of the sum, in order.
template <class T>
struct AddParts {
  const float* partial;
  ConvStore store;
  int64_t elements;
  int splits;
  JoinedMap<uint16_t> y;

  __device__ float sum(int64_t i) const {
    float sum = 0;
    for (int s = 0; s < splits; s++) sum += partial[s * elements + i];
    return sum;
  }
  __device__ void write(int64_t voxel, int channel, float sum) const {
    if (store.bias) sum += store.bias[channel];
    put_sum<T>(y.from(channel).of(voxel), sum, store.adds);
  }
  __device__ void operator()(int64_t i) const {
    const int64_t voxel = quotient(i, y.channels);
    write(voxel, static_cast<int>(i - voxel * y.channels), sum(i));
  }
};

// The same with the statistics of y: 64 voxels by 32 channels a thread block, 8 lines of threads.
template <class T>
__global__ void __launch_bounds__(kReduceThreads) add_parts_kernel(AddParts<T> p, BlockView y, int64_t voxels) {
  constexpr int kOwn = kFewestRows / kRows;
  SHARED_ARRAY(float, shared, [kRows][kLanes]);
  const Lane at(blockIdx.y);
  const ThreadLines<kRows, kLanes> lines{shared, at.row, at.lane};
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kFewestRows;
  float sums[kOwn] = {};
#pragma unroll
  for (int r = 0; r < kOwn; r++) {
    const int64_t voxel = first + r * kRows + at.row;
    if (voxel >= voxels || at.channel >= p.y.channels) continue;
    sums[r] = p.sum(voxel * p.y.channels + at.channel);
    p.write(voxel, at.channel, sums[r]);
  }
  const int64_t end = first + kFewestRows < voxels ? first + kFewestRows : voxels;
  each_run(y, blockIdx.x, first, end, [&](int64_t slot, int count, int64_t from, int64_t to) {
    uint32_t rows = 0;
    for (int r = 0; r < kOwn; r++) {
      const int64_t voxel = first + r * kRows + at.row;
      if (voxel >= from && voxel < to) rows |= 1u << r;
    }
    slot_moments<kOwn, 1>(lines, p.store.moments, slot, count, static_cast<int>(blockIdx.y) * kLanes, rows,
                          [&](int r, int) { return sums[r]; });
  });
}

template <class T>
void add_parts(const GatherGemm& g) {
  if (g.splits == 1) return;
  const int64_t elements = g.dest_voxels * g.dest_channels;
  const AddParts<T> parts{g.partial, g.store, elements, g.splits, g.y};
  if (!g.store.moments.partial) return launch_elementwise(elements, parts, "a convolution");
  const dim3 grid(static_cast<unsigned>(tiles_of(g.dest_voxels, kFewestRows)), channel_tiles(g.dest_channels));
  LAUNCH_KERNEL(add_parts_kernel<T>, grid, kReduceThreads, parts, g.rows.dest, g.dest_voxels);
  check_cuda(cudaGetLastError(), "a convolution");
}

}  // namespace voxelspark
