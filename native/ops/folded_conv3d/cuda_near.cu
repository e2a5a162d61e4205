// The gather GEMM of conv3d over some of the output: rows are the 64 voxels of a cube, thread blocks whose cube sees no
// visible block end at once. Every output is added to once, by one thread, so the same bits in every run.
#include "ops/conv3d/cuda_lattice.cuh"
#include "ops/conv3d/cuda_tile.cuh"
#include "ops/cuda_pending.cuh"
#include "ops/folded_conv3d/cuda_near.cuh"
#include "ops/folded_conv3d/cuda_places.cuh"

namespace voxelspark {

namespace {

static_assert(NearTiles::kVoxels == kConvTile, "a tile's rows are the voxels of a cube");

template <class T>
struct NearConv {
  NearTiles tiles;
  BlockView dest;
  LatticeFamily family;
  int channels, outputs, depth;  // depth: taps times channels
  const T* s;
  const float* weights;  // [k][tap][c]
  T* y;
  PendingNorm norm;  // on s

  __device__ const T* source(const DeviceLattice& l, Voxel base, const SumCursor& at) const {
    if (at.ended(l)) return nullptr;
    const int64_t voxel = tiles.source.find(l.source(base, at.z, at.y, at.x));
    return voxel < 0 ? nullptr : s + voxel * channels;
  }
};

// Walks the sum for one voxel and one output. kWide: four values lie in one tap.
template <class T, bool kWide>
struct NearLoader {
  const NearConv<T>& g;
  DeviceLattice lattice;
  Voxel base;
  bool exists;
  const float* weight;  // null: no such output
  int k;
  SumCursor at;

  __device__ NearLoader(const NearConv<T>& g, Voxel voxel, int output, int k)
      : g(g),
        lattice(g.family.lattice(0)),
        base(lattice.base_of(voxel)),
        exists(g.dest.inside(voxel)),
        weight(output < g.outputs ? g.weights + static_cast<int64_t>(output) * g.depth : nullptr),
        k(k),
        at(lattice, k, g.channels) {}

  __device__ void next(Channels<4>& a, Channels<4>& b) {
    a = b = {};
    if constexpr (kWide) {
      const T* from = exists ? g.source(lattice, base, at) : nullptr;
      if (from) a = load<4>(from + at.channel);
      if (from && g.norm) settle<T>(a, g.norm, base.n, at.channel);
      if (weight && k < g.depth) b = load<4>(weight + k);
      for (float& w : b.v) w = rounded<T>(w);
    } else {
      SumCursor c = at;
      for (int i = 0; i < 4; i++) {
        const T* from = exists ? g.source(lattice, base, c) : nullptr;
        if (from) {
          Channels<1> value = load<1>(from + c.channel);
          if (g.norm) settle<T>(value, g.norm, base.n, c.channel);
          a.v[i] = value.v[0];
        }
        if (weight && k + i < g.depth) b.v[i] = rounded<T>(weight[k + i]);
        c.advance(lattice, 1, g.channels);
      }
    }
    at.advance(lattice, kConvDepth, g.channels);
    k += kConvDepth;
  }
};

__device__ void put(const Channels<4>& values, int line, int k, ConvSlice& slice) {
#pragma unroll
  for (int i = 0; i < 4; i++) slice[k + i][line] = values.v[i];
}

template <class T>
__device__ void add(const NearConv<T>& g, const ConvSums& sums, Voxel corner, int first_output) {
  for (int i = 0; i < kConvWork; i++) {
    const int64_t voxel = g.dest.find(NearTiles::voxel(corner, ConvSums::row() + i));
    if (voxel < 0) continue;
    for (int j = 0; j < kConvWork; j++) {
      const int output = first_output + ConvSums::column() + j;
      T* to = g.y + voxel * g.outputs + output;
      if (output < g.outputs) *to = narrow<T>(widen(*to) + sums.total[i][j]);
    }
  }
}

template <class T, bool kWide>
__global__ void __launch_bounds__(kConvThreads) near_gemm_kernel(NearConv<T> g) {
  SHARED_ARRAY(float, a, [2][kConvDepth][kConvPitch]);
  SHARED_ARRAY(float, b, [2][kConvDepth][kConvPitch]);
  const Voxel corner = g.tiles.corner(blockIdx.x);
  if (!g.tiles.near(corner)) return;  // all threads of the block
  const int line = threadIdx.x / 4, k = threadIdx.x % 4 * 4, first_output = blockIdx.y * kConvTile;
  NearLoader<T, kWide> loader(g, NearTiles::voxel(corner, line), first_output + line, k);
  const int slices = (g.depth + kConvDepth - 1) / kConvDepth;
  ConvSums sums;
  Channels<4> p, q;
  loader.next(p, q);
  put(p, line, k, a[0]);
  put(q, line, k, b[0]);
  for (int slice = 0; slice < slices; slice++) {
    __syncthreads();
    loader.next(p, q);  // beyond the end: zeros that nobody reads
    sums.add(a[slice % 2], b[slice % 2]);
    put(p, line, k, a[(slice + 1) % 2]);
    put(q, line, k, b[(slice + 1) % 2]);
  }
  sums.fold();
  add(g, sums, corner, first_output);
}

template <class T>
void run(const Tensor& s, const Tensor& weight, const Tensor& y) {
  const ConvGeometry geometry = same_size(kernel_of(weight));
  const int channels = static_cast<int>(s.layout.channels()), outputs = static_cast<int>(y.layout.channels());
  const NearConv<T> g{{view_of(s.layout), extent(geometry.kernel)},
                      view_of(y.layout),
                      {extent(geometry.kernel), extent(geometry.stride), extent(geometry.padding), false},
                      channels,
                      outputs,
                      static_cast<int>(geometry.kernel.product()) * channels,
                      s.as<T>(),
                      weight.f32(),
                      y.as<T>(),
                      pending_norm(s)};
  const int64_t tiles = g.tiles.of_sample() * s.layout.shape.samples();
  if (tiles == 0 || s.layout.blocks() == 0) return;
  const dim3 grid(static_cast<unsigned>(tiles), static_cast<unsigned>((outputs + kConvTile - 1) / kConvTile));
  if (channels % 4 == 0) LAUNCH_KERNEL((near_gemm_kernel<T, true>), grid, kConvThreads, g);
  else LAUNCH_KERNEL((near_gemm_kernel<T, false>), grid, kConvThreads, g);
  check_cuda(cudaGetLastError(), "folded_conv3d_forward");
}

}  // namespace

void near_gemm_cuda(const Tensor& s, const Tensor& weight, const Tensor& y) {
  by_element(y.layout.dtype, [&](auto zero) { run<decltype(zero)>(s, weight, y); });
}

}  // namespace voxelspark
