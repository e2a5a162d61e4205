// Gather GEMM: rows are destination voxels, columns destination channels, the sum runs over taps and source channels
// of voxels that are looked up through the block table; masked and outside voxels are zeros. Any kernel, stride, block
// edge and mask; every output is one sum in one order, so the same bits in every run. Of feature maps in 16 bits the
// products are exact, sums are float32, and weights are rounded to the same type, as tensor cores take them.
#include "ops/conv3d/cuda_gemm.cuh"
#include "ops/conv3d/cuda_rows.cuh"
#include "ops/conv3d/cuda_source.cuh"
#include "ops/conv3d/cuda_tile.cuh"

namespace voxelspark {

namespace {

template <class T>
struct Gather {
  GatherRows rows;
  int source_channels, dest_channels;
  int64_t tap_stride, source_stride, dest_stride;  // of the weights
  ChannelSource<T> x;
  const float* weights;
  ConvStore store;
  JoinedMap<T> y;

  __device__ int64_t source_voxel(const DeviceLattice& l, Voxel base, const SumCursor& at) const {
    return at.ended(l) ? -1 : rows.source.find(l.source(base, at.z, at.y, at.x));
  }
  template <int V>
  __device__ Channels<V> source_at(int64_t voxel, int sample, int channel) const {
    Channels<V> values = load<V>(x.from(channel).of(voxel));
    if (x.norm) settle<T>(values, x.norm, sample, channel);
    return values;
  }
};

// What a thread loads of a slice: four values of the sum for one row and one column.
struct Loaded {
  float a[4], b[4];
};

// One thread's view of the class that its block works on. kWide: the four lie in one tap.
template <class T, bool kWide>
struct Loader {
  const Gather<T>& g;
  const DeviceLattice& l;
  Voxel base;
  bool exists;  // the row
  int column;
  SumCursor at;
  int64_t voxel;  // of the tap, or -1

  __device__ Loader(const Gather<T>& g, const DeviceLattice& l, Voxel base, bool exists, int column, int k)
      : g(g), l(l), base(base), exists(exists), column(column), at(l, k, g.source_channels), voxel(-1) {
    if (kWide && exists) voxel = g.source_voxel(l, base, at);
  }
  __device__ float weight(const SumCursor& c, int i) const {
    return rounded<T>(g.weights[l.weight_of(c.z, c.y, c.x) * g.tap_stride + (c.channel + i) * g.source_stride +
                                column * g.dest_stride]);
  }
  __device__ Loaded next() {
    Loaded values = {};
    const bool has_weight = column < g.dest_channels;
    if constexpr (kWide) {
      if (voxel >= 0) {
        const Channels<4> four = g.template source_at<4>(voxel, base.n, at.channel);
        for (int i = 0; i < 4; i++) values.a[i] = four.v[i];
      }
      for (int i = 0; i < 4 && has_weight && !at.ended(l); i++) values.b[i] = weight(at, i);
      if (at.advance(l, kConvDepth, g.source_channels) && exists) voxel = g.source_voxel(l, base, at);
    } else {
      SumCursor c = at;
      for (int i = 0; i < 4; i++) {
        const int64_t from = exists ? g.source_voxel(l, base, c) : -1;
        if (from >= 0) values.a[i] = g.template source_at<1>(from, base.n, c.channel).v[0];
        if (has_weight && !c.ended(l)) values.b[i] = weight(c, 0);
        c.advance(l, 1, g.source_channels);
      }
      at.advance(l, kConvDepth, g.source_channels);
    }
    return values;
  }
};

__device__ void put(const Loaded& values, int line, int k, ConvSlice& a, ConvSlice& b) {
  for (int i = 0; i < 4; i++) {
    a[k + i][line] = values.a[i];
    b[k + i][line] = values.b[i];
  }
}

template <class T>
__device__ void write(const Gather<T>& g, const ConvSums& sums, const int64_t* destinations, int first_column) {
  for (int i = 0; i < kConvWork; i++) {
    const int64_t voxel = destinations[ConvSums::row() + i];
    if (voxel < 0) continue;
    for (int j = 0; j < kConvWork; j++) {
      const int c = first_column + ConvSums::column() + j;
      if (c < g.dest_channels)
        *g.y.from(c).of(voxel) = narrow<T>(sums.total[i][j] + (g.store.bias ? g.store.bias[c] : 0.0f));
    }
  }
}

// Rows are the stored voxels of y in order: only a forward pass has statistics.
template <class T>
__device__ void leave_moments(const Gather<T>& g, const ConvSums& sums, int first_column) {
  constexpr int kLines = kConvTile / kConvWork;
  SHARED_ARRAY(float, shared, [kLines][kConvTile]);
  const ThreadLines<kLines, kConvTile> lines{shared, ConvSums::row() / kConvWork, ConvSums::column()};
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kConvTile;
  const int64_t end = first + kConvTile < g.rows.rows ? first + kConvTile : g.rows.rows;
  each_run(g.rows.dest, blockIdx.x, first, end, [&](int64_t slot, int count, int64_t from, int64_t to) {
    uint32_t rows = 0;
    for (int r = 0; r < kConvWork; r++) {
      const int64_t own = first + ConvSums::row() + r;
      if (own >= from && own < to) rows |= 1u << r;
    }
    slot_moments<kConvWork, kConvWork>(lines, g.store.moments, slot, count, first_column, rows,
                                       [&](int r, int c) { return sums.total[r][c]; });
  });
}

template <class T, bool kWide>
__global__ void __launch_bounds__(kConvThreads) gather_gemm_kernel(Gather<T> g) {
  SHARED_ARRAY(float, a, [2][kConvDepth][kConvPitch]);
  SHARED_ARRAY(float, b, [2][kConvDepth][kConvPitch]);
  SHARED_ARRAY(int64_t, destinations, [kConvTile]);
  const int line = threadIdx.x / 4, k = threadIdx.x % 4 * 4, first_column = blockIdx.y * kConvTile;
  for (int64_t c = blockIdx.z; c < g.rows.family.classes(); c += gridDim.z) {
    const DeviceLattice l = g.rows.family.lattice(c);
    Voxel base;
    const int64_t voxel = g.rows.destination(l, static_cast<int64_t>(blockIdx.x) * kConvTile + line, base);
    if (k == 0) destinations[line] = voxel;
    Loader<T, kWide> loader(g, l, base, voxel >= 0, first_column + line, k);
    const int slices = (l.taps() * g.source_channels + kConvDepth - 1) / kConvDepth;
    ConvSums sums;
    put(loader.next(), line, k, a[0], b[0]);
    for (int s = 0; s < slices; s++) {
      __syncthreads();
      const Loaded next = loader.next();  // beyond the end: zeros that nobody reads
      sums.add(a[s % 2], b[s % 2]);
      put(next, line, k, a[(s + 1) % 2], b[(s + 1) % 2]);
    }
    sums.fold();
    __syncthreads();
    write(g, sums, destinations, first_column);
    if (g.store.moments.partial) leave_moments(g, sums, first_column);
    __syncthreads();
  }
}

template <class T>
void run(const Gather<T>& g) {
  if (g.rows.rows == 0) return;
  const auto tiles = [](int64_t n) { return static_cast<unsigned>((n + kConvTile - 1) / kConvTile); };
  const int64_t classes = g.rows.family.classes();
  const dim3 grid(tiles(g.rows.rows), tiles(g.dest_channels), static_cast<unsigned>(classes < 65535 ? classes : 65535));
  if (g.x.in_runs_of(4)) LAUNCH_KERNEL((gather_gemm_kernel<T, true>), grid, kConvThreads, g);
  else LAUNCH_KERNEL((gather_gemm_kernel<T, false>), grid, kConvThreads, g);
  check_cuda(cudaGetLastError(), "a convolution");
}

template <class T>
Gather<T> gather_of(const ConvGeometry& g, bool adjoint, const Tensor& source, const Tensor& weight,
                    const ConvStore& store, const Tensor& dest) {
  const int64_t taps = g.kernel.product(), stored = weight.layout.channels();  // [K][tap][stored]
  return {gather_rows(g, adjoint, source.layout, dest.layout),
          static_cast<int>(source.layout.channels()),
          static_cast<int>(dest.layout.channels()),
          stored,
          adjoint ? taps * stored : 1,
          adjoint ? 1 : taps * stored,
          channel_source<T>(source),
          weight.f32(),
          store,
          joined_map<T>(dest)};
}

}  // namespace

void forward_gemm_cuda(const ConvGeometry& g, const Tensor& x, const Tensor& weight, const ConvStore& store,
                       const Tensor& y) {
  by_element(y.layout.dtype, [&](auto zero) { run(gather_of<decltype(zero)>(g, false, x, weight, store, y)); });
}

void adjoint_gemm_cuda(const ConvGeometry& g, const Tensor& gy, const Tensor& weight, const ConvStore& store,
                       const Tensor& gx) {
  by_element(gx.layout.dtype, [&](auto zero) { run(gather_of<decltype(zero)>(g, true, gy, weight, store, gx)); });
}

}  // namespace voxelspark
