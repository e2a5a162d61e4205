// gw[k][tap][c] = sum over voxels of gy[voxel][k] * x[source(voxel, tap)][c]: rows are the channels of gy, columns the
// (tap, c), and the sum runs over the stored voxels of gy, in splits of fixed size that a second kernel adds in order.
#include "ops/conv3d/cuda_gemm.cuh"
#include "ops/conv3d/cuda_lattice.cuh"
#include "ops/conv3d/cuda_source.cuh"
#include "ops/conv3d/cuda_tile.cuh"
#include "ops/reduce/cuda_splits.cuh"

namespace voxelspark {

namespace {

template <class T>
struct WeightSum {
  LatticeFamily family;
  BlockView source, dest;
  int64_t voxels, split;  // of gy; of a split
  int rows, columns, source_channels;
  ChannelSource<T> x, gy;
  float* partial;  // [split][row][column]
};

// Four columns of one thread: their taps and channels stay, voxels pass by.
template <class T, bool kWide>
struct SourceLoader {
  const WeightSum<T>& w;
  DeviceLattice l;
  SumCursor first;

  __device__ SourceLoader(const WeightSum<T>& w, int column)
      : w(w), l(w.family.lattice(0)), first(l, column, w.source_channels) {}
  // The channels of the voxel from that of the cursor on.
  __device__ const T* row(Voxel base, const SumCursor& c) const {
    if (c.ended(l)) return nullptr;
    const int64_t voxel = w.source.find(l.source(base, c.z, c.y, c.x));
    return voxel < 0 ? nullptr : w.x.from(c.channel).of(voxel);
  }
  __device__ Channels<4> at(int64_t voxel) const {
    Channels<4> values = {};
    const Voxel base = l.base_of(w.dest.position(voxel));
    if constexpr (kWide) {
      if (const T* from = row(base, first)) {
        values = load<4>(from);
        if (w.x.norm) settle<T>(values, w.x.norm, base.n, first.channel);
      }
    } else {
      SumCursor c = first;
      for (int i = 0; i < 4; i++) {
        if (const T* from = row(base, c)) {
          Channels<1> value = load<1>(from);
          if (w.x.norm) settle<T>(value, w.x.norm, base.n, c.channel);
          values.v[i] = value.v[0];
        }
        c.advance(l, 1, w.source_channels);
      }
    }
    return values;
  }
};

template <class T>
__device__ Channels<4> gradient_at(const WeightSum<T>& w, int64_t voxel, int row) {
  Channels<4> values = {};
  const int sample = w.gy.norm ? w.dest.sample_of(voxel) : 0;
  for (int i = 0; i < 4; i++) {
    if (row + i >= w.rows) break;
    Channels<1> value = load<1>(w.gy.first + voxel * w.rows + row + i);
    if (w.gy.norm) settle<T>(value, w.gy.norm, sample, row + i);
    values.v[i] = value.v[0];
  }
  return values;
}

template <class T, bool kWide>
__global__ void __launch_bounds__(kConvThreads) weight_gradient_kernel(WeightSum<T> w) {
  SHARED_ARRAY(float, a, [2][kConvDepth][kConvPitch]);
  SHARED_ARRAY(float, b, [2][kConvDepth][kConvPitch]);
  const int line = threadIdx.x / 16, four = threadIdx.x % 16 * 4;
  const int first_row = blockIdx.x * kConvTile, first_column = blockIdx.y * kConvTile;
  const int64_t begin = blockIdx.z * w.split, end = begin + w.split < w.voxels ? begin + w.split : w.voxels;
  const SourceLoader<T, kWide> source(w, first_column + four);
  const auto fetch = [&](int64_t slice, Channels<4>& p, Channels<4>& q) {
    const int64_t voxel = slice + line;
    p = q = {};
    if (voxel >= end) return;
    p = gradient_at(w, voxel, first_row + four);
    q = source.at(voxel);
  };
  ConvSums sums;
  Channels<4> p, q;
  fetch(begin, p, q);
  store<4>(&a[0][line][four], p);
  store<4>(&b[0][line][four], q);
  int buffer = 0;
  for (int64_t slice = begin; slice < end; slice += kConvDepth, buffer ^= 1) {
    __syncthreads();
    fetch(slice + kConvDepth, p, q);
    sums.add(a[buffer], b[buffer]);
    store<4>(&a[buffer ^ 1][line][four], p);
    store<4>(&b[buffer ^ 1][line][four], q);
  }
  sums.fold();
  float* to = w.partial + static_cast<int64_t>(blockIdx.z) * w.rows * w.columns;
  for (int i = 0; i < kConvWork; i++)
    for (int j = 0; j < kConvWork; j++) {
      const int row = first_row + ConvSums::row() + i, column = first_column + ConvSums::column() + j;
      if (row < w.rows && column < w.columns) to[static_cast<int64_t>(row) * w.columns + column] = sums.total[i][j];
    }
}

template <class T>
void run(const ConvGeometry& g, const Tensor& x, const Tensor& gy, const Tensor& gw, void* workspace) {
  const int64_t columns = g.kernel.product() * x.layout.channels(), elements = gy.layout.channels() * columns;
  const WeightSplits splits = WeightSplits::of(gy.layout, columns);
  const bool split = splits.splits > 1;
  const WeightSum<T> w{{extent(g.kernel), extent(g.stride), extent(g.padding), false},
                       view_of(x.layout),
                       view_of(gy.layout),
                       gy.layout.voxels(),
                       splits.voxels,
                       static_cast<int>(gy.layout.channels()),
                       static_cast<int>(columns),
                       static_cast<int>(x.layout.channels()),
                       channel_source<T>(x),
                       channel_source<T>(gy),
                       split ? static_cast<float*>(workspace) : gw.f32()};
  const auto tiles = [](int64_t n) { return static_cast<unsigned>((n + kConvTile - 1) / kConvTile); };
  const dim3 grid(tiles(w.rows), tiles(w.columns), static_cast<unsigned>(splits.splits));
  if (w.x.in_runs_of(4)) LAUNCH_KERNEL((weight_gradient_kernel<T, true>), grid, kConvThreads, w);
  else LAUNCH_KERNEL((weight_gradient_kernel<T, false>), grid, kConvThreads, w);
  check_cuda(cudaGetLastError(), "a weight gradient");
  if (split) add_splits(w.partial, 1, splits.splits, elements, gw.f32(), "a weight gradient");
}

}  // namespace

void weight_gradient_cuda(const ConvGeometry& g, const Tensor& x, const Tensor& gy, const Tensor& gw, void* workspace) {
  by_element(x.layout.dtype, [&](auto zero) { run<decltype(zero)>(g, x, gy, gw, workspace); });
}

}  // namespace voxelspark
