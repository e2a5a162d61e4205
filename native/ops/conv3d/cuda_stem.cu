// A thread block has a tile of 4 x 8 x 8 voxels by 32 channels of y. The tile of x with its halo lies in shared memory
// in float32, each voxel looked up once; what is masked or outside is zero.
//
// Forward: a thread has 2 x 2 voxels and 16 channels. Weight gradient: 9 (dz, dy) by 8 groups of 4 channels by 4 planes
// are 288 threads, each with three dx, for many tiles; planes are added in order, and the sums of all blocks by a
// second kernel. So the same bits in every run.
#include "ops/conv3d/cuda_halo.cuh"
#include "ops/conv3d/cuda_stem.cuh"
#include "ops/reduce/cuda_splits.cuh"

namespace voxelspark {

namespace {

constexpr int kColumns = 32, kTaps = 27, kPlane = kHaloEdge * kHaloEdge, kHalo = (kTileDepth + 2) * kPlane;
constexpr int kTileVoxels = kTileDepth * kTileEdge * kTileEdge;
constexpr int kThreads = 128, kOwnColumns = 16, kWeightThreads = 288, kQuads = kColumns / 4;
constexpr int kBarrier = 1, kTableBytes = kNeighbours * 4;

template <class T>
struct Stem {
  CellView source, dest;
  CellTiles tiles;
  ChannelSource<T> x;
};

template <class T>
Stem<T> stem_of(const Tensor& x, const Tensor& dest) {
  const GridPointer& grid = dest.layout.grid ? dest.layout.grid : x.layout.grid;
  return {cell_view(x.layout, grid), cell_view(dest.layout, grid), cell_tiles(dest.layout, grid, kTileDepth),
          channel_source<T>(x)};
}

// Channel c of the tile and its halo; to be called by all threads.
template <class T>
__device__ void load_tile(const Stem<T>& s, const CellTiles::Tile& tile, int c, float* halo) {
  const SharedAddress table = dynamic_shared();
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  find_neighbours(s.source, tile.cell, table, thread, kBarrier, threads);
  for (int h = thread; h < kHalo; h += threads) {
    const int voxel = halo_voxel<kTileDepth>(s.source, tile, table, h);
    Channels<1> value = {};
    if (voxel >= 0) {
      value = load<1>(s.x.from(c).of(voxel));
      if (s.x.norm) settle<T>(value, s.x.norm, tile.cell.n, c);
    }
    halo[h] = value.v[0];
  }
}

// A thread's voxels in the tile: two planes, two rows 4 apart.
struct OwnVoxels {
  int z, y, x;
  __device__ OwnVoxels() {
    const int lane = static_cast<int>(threadIdx.x) % kWarpThreads;
    z = static_cast<int>(threadIdx.x) / kWarpThreads % 2 * 2;
    y = lane / kTileEdge;
    x = lane % kTileEdge;
  }
  __device__ int plane(int v) const { return z + v / 2; }
  __device__ int row(int v) const { return y + v % 2 * 4; }
};

// How such threads add up columns: lanes first, then the two warps that share a column.
struct WarpLines {
  float (&lines)[2][kColumns];

  __device__ static int warp() { return static_cast<int>(threadIdx.x) / kWarpThreads; }
  __device__ static int lane() { return static_cast<int>(threadIdx.x) % kWarpThreads; }
  __device__ int column(int c) const { return warp() / 2 * kOwnColumns + c; }
  __device__ float total(float sum) const {
#pragma unroll
    for (int step = 1; step < kWarpThreads; step *= 2) sum += shuffle_xor(sum, step);
    return sum;
  }
  __device__ void put(int c, float sum) const {
    if (lane() == 0) lines[warp() % 2][column(c)] = sum;
  }
  __device__ float sum(int c) const { return lines[0][column(c)] + lines[1][column(c)]; }
  __device__ void sync() const { __syncthreads(); }
  __device__ bool writes() const { return warp() % 2 == 0 && lane() == 0; }
};

template <class T>
struct StemConv : Stem<T> {
  const float* weights;  // [k][tap][c]
  ConvStore store;
  T* y;
  int channels;
};

// The three dz of a (dy, dx), whose planes of x overlap.
__device__ inline void add_taps(float (&sums)[4][kOwnColumns], const float* halo, const float (*weights)[kColumns],
                                int column, int row) {
  float value[2][4];  // [row][plane]
#pragma unroll
  for (int r = 0; r < 2; r++)
#pragma unroll
    for (int p = 0; p < 4; p++) value[r][p] = halo[p * kPlane + r * 4 * kHaloEdge];
#pragma unroll
  for (int dz = 0; dz < 3; dz++) {
    const float* from = weights[dz * 9 + row] + column;
#pragma unroll
    for (int c = 0; c < kOwnColumns; c += 4) {
      const Channels<4> w = load<4>(from + c);
#pragma unroll
      for (int v = 0; v < 4; v++)
#pragma unroll
        for (int i = 0; i < 4; i++) sums[v][c + i] = fmaf(value[v % 2][v / 2 + dz], w.v[i], sums[v][c + i]);
    }
  }
}

template <class T>
__device__ void leave_moments(const StemConv<T>& g, const CellTiles::Tile& tile, uint32_t rows,
                              const float (&sums)[4][kOwnColumns]) {
  SHARED_ARRAY(float, lines, [2][kColumns]);
  const Extent edge = g.dest.edge;
  const auto within = [](int at, int size, int most) { return size - at < most ? size - at : most; };
  const int count =
      within(tile.z, edge.z, kTileDepth) * within(tile.y, edge.y, kTileEdge) * within(tile.x, edge.x, kTileEdge);
  slot_moments<4, kOwnColumns>(WarpLines{lines}, g.store.moments, blockIdx.x, count,
                               static_cast<int>(blockIdx.y) * kColumns, rows, [&](int r, int c) { return sums[r][c]; });
}

template <class T>
__device__ void write(const StemConv<T>& g, int64_t voxel, const float (&sums)[kOwnColumns], int first) {
#pragma unroll
  for (int c = 0; c < kOwnColumns; c += 8) {
    T* to = g.y + voxel * g.channels + first + c;
    Channels<8> out = {}, bias = {};
    if (g.store.adds) out = load<8>(to);
    if (g.store.bias) bias = load<8>(g.store.bias + first + c);
#pragma unroll
    for (int i = 0; i < 8; i++) out.v[i] += sums[c + i] + bias.v[i];
    store<8>(to, out);
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads, 3) stem_conv_kernel(StemConv<T> g) {
  SHARED_ARRAY(float, halo, [kHalo]);
  SHARED_ARRAY(float, weights, [kTaps][kColumns]);
  const CellTiles::Tile tile = g.tiles.at(static_cast<int>(blockIdx.x));
  const OwnVoxels own;
  const int column = static_cast<int>(threadIdx.x) / kWarpThreads / 2 * kOwnColumns;
  const int first_column = static_cast<int>(blockIdx.y) * kColumns;
  float sums[4][kOwnColumns] = {};
#pragma unroll 1
  for (int c = 0; c < g.x.channels; c++) {
    __syncthreads();  // nobody reads the last channel any more
    load_tile(g, tile, c, halo);
    for (int i = threadIdx.x; i < kTaps * kColumns; i += kThreads) {
      const int64_t row = static_cast<int64_t>(first_column + i % kColumns) * kTaps + i / kColumns;
      weights[i / kColumns][i % kColumns] = rounded<T>(g.weights[row * g.x.channels + c]);
    }
    __syncthreads();
#pragma unroll 1
    for (int row = 0; row < 9; row++)
      add_taps(sums, halo + own.z * kPlane + (own.y + row / 3) * kHaloEdge + own.x + row % 3, weights, column, row);
  }
  uint32_t rows = 0;
#pragma unroll
  for (int v = 0; v < 4; v++) {
    const int z = tile.z + own.plane(v), y = tile.y + own.row(v), x = tile.x + own.x;
    if (z >= g.dest.edge.z || y >= g.dest.edge.y || x >= g.dest.edge.x) continue;
    rows |= 1u << v;
    write(g, g.dest.corner(tile.cell) + g.dest.offset(z, y, x), sums[v], first_column + column);
  }
  if (g.store.moments.partial) leave_moments(g, tile, rows, sums);
}

template <class T>
struct StemWeight : Stem<T> {
  ChannelSource<T> gy;
  float* partial;  // [block][k][tap][c]
};

// 32 channels of the tile of gy; zeros beyond the cell.
template <class T>
__device__ void load_gradient(const StemWeight<T>& w, const CellTiles::Tile& tile, float (&to)[kTileVoxels][kColumns]) {
  const int corner = w.dest.corner(tile.cell), first = static_cast<int>(blockIdx.y) * kColumns;
  for (int i = threadIdx.x; i < kTileVoxels * kColumns / 8; i += kWeightThreads) {
    const int v = i / (kColumns / 8), c = i % (kColumns / 8) * 8;
    const int z = tile.z + v / 64, y = tile.y + v / 8 % 8, x = tile.x + v % 8;
    Channels<8> values = {};
    if (z < w.dest.edge.z && y < w.dest.edge.y && x < w.dest.edge.x) {
      values = load<8>(w.gy.from(first + c).of(corner + w.dest.offset(z, y, x)));
      if (w.gy.norm) settle<T>(values, w.gy.norm, tile.cell.n, first + c);
    }
    store<8>(&to[v][c], values);
  }
}

template <class T>
__global__ void __launch_bounds__(kWeightThreads, 2) stem_weight_kernel(StemWeight<T> w) {
  SHARED_ARRAY(float, halo, [kHalo]);
  SHARED_ARRAY(float, gradient, [kTileVoxels][kColumns]);
  const int quad = threadIdx.x % kQuads, row = threadIdx.x / kQuads % 9, plane = threadIdx.x / (kQuads * 9);
  const int channel = static_cast<int>(blockIdx.z);
  float sums[3][4] = {};
#pragma unroll 1
  for (int t = blockIdx.x; t < w.tiles.count; t += gridDim.x) {
    const CellTiles::Tile tile = w.tiles.at(t);
    __syncthreads();  // nobody reads the last tile any more
    load_tile(w, tile, channel, halo);
    load_gradient(w, tile, gradient);
    __syncthreads();
#pragma unroll 1
    for (int y = 0; y < kTileEdge; y++) {
      const float* from = halo + (plane + row / 3) * kPlane + (y + row % 3) * kHaloEdge;
      float x[kHaloEdge];
#pragma unroll
      for (int i = 0; i < kHaloEdge; i++) x[i] = from[i];
#pragma unroll
      for (int i = 0; i < kTileEdge; i++) {
        const Channels<4> g = load<4>(&gradient[(plane * kTileEdge + y) * kTileEdge + i][quad * 4]);
#pragma unroll
        for (int dx = 0; dx < 3; dx++)
#pragma unroll
          for (int k = 0; k < 4; k++) sums[dx][k] = fmaf(g.v[k], x[i + dx], sums[dx][k]);
      }
    }
  }
  __syncthreads();
#pragma unroll
  for (int dx = 0; dx < 3; dx++)
#pragma unroll
    for (int k = 0; k < 4; k++) gradient[plane * kTaps + row * 3 + dx][quad * 4 + k] = sums[dx][k];
  __syncthreads();
  const int outputs = w.gy.channels, sources = w.x.channels;
  for (int i = threadIdx.x; i < kTaps * kColumns; i += kWeightThreads) {
    const int tap = i % kTaps, k = i / kTaps;
    float sum = 0;
    for (int p = 0; p < kTileDepth; p++) sum += gradient[p * kTaps + tap][k];
    const int64_t line = static_cast<int64_t>(blockIdx.x) * outputs + static_cast<int>(blockIdx.y) * kColumns + k;
    w.partial[(line * kTaps + tap) * sources + channel] = sum;
  }
}

}  // namespace

template <class T>
void stem_conv_cuda(const Tensor& x, const Tensor& weight, const ConvStore& store, const Tensor& y) {
  const int channels = static_cast<int>(y.layout.channels());
  const StemConv<T> conv{stem_of<T>(x, y), weight.f32(), store, y.as<T>(), channels};
  if (conv.tiles.count == 0) return;
  const dim3 grid(static_cast<unsigned>(conv.tiles.count), static_cast<unsigned>(channels / kColumns));
  LAUNCH_KERNEL_SHARED(stem_conv_kernel<T>, grid, kThreads, kTableBytes, conv);
  check_cuda(cudaGetLastError(), "a convolution");
}

template <class T>
void stem_weight_cuda(const Tensor& x, const Tensor& gy, const Tensor& gw, void* workspace) {
  const StemPlan p = StemPlan::of({{3, 3, 3}, {1, 1, 1}, {1, 1, 1}}, x.layout, gy.layout);
  const StemWeight<T> weight{stem_of<T>(x, gy), channel_source<T>(gy), static_cast<float*>(workspace)};
  const dim3 grid(static_cast<unsigned>(p.blocks), static_cast<unsigned>(gy.layout.channels() / kColumns),
                  static_cast<unsigned>(x.layout.channels()));
  LAUNCH_KERNEL_SHARED(stem_weight_kernel<T>, grid, kWeightThreads, kTableBytes, weight);
  check_cuda(cudaGetLastError(), "a weight gradient");
  const int64_t elements = gw.layout.shape.elements();
  add_splits(weight.partial, 1, p.blocks, elements, gw.f32(), "a weight gradient");
}

#define VS_INSTANCES(T)                                                                           \
  template void stem_conv_cuda<T>(const Tensor&, const Tensor&, const ConvStore&, const Tensor&); \
  template void stem_weight_cuda<T>(const Tensor&, const Tensor&, const Tensor&, void*);
VS_INSTANCES(__nv_bfloat16)
VS_INSTANCES(__half)
#undef VS_INSTANCES

}  // namespace voxelspark
