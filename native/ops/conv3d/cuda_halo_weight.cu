// Weight gradient of a 3 x 3 x 3 convolution of stride 1 on halo tiles: gw[k][tap][c] = sum over voxels of gy[voxel][k]
// * x[voxel + tap][c] for 32 x 32 channels and all taps a thread block, which keeps its sums in registers over many
// tiles.
//
// Three warps copy tiles of gy and of x with its halo in the background; nine warps multiply, one for each (dy, dx),
// with three dz each: a fragment of x is loaded once and serves three taps. Thread blocks of a row of the grid see
// other tiles; a second kernel adds their sums in order. So the same bits in every run.
#include "ops/conv3d/cuda_halo.cuh"
#include "ops/conv3d/cuda_tensor_weight.cuh"

namespace voxelspark {

namespace {

constexpr int kDepth = HaloWeightPlan::kDepth;
constexpr int kConsumers = 9 * kWarpThreads, kProducers = 3 * kWarpThreads, kThreads = kConsumers + kProducers;
constexpr int kProducerBarrier = 1;
constexpr int kBuffers = 2;
constexpr int kTaps = 27, kPartial = kTaps * kSliceChannels * kSliceChannels;

struct HaloWeight {
  CellView source, dest;
  CellTiles tiles;
  int source_tiles, dest_tiles, rows;
  ChannelSource<uint16_t> x, gy;
  float* partial;  // [row][tile of gy's channels][tile of x's channels][tap][32][32]

  __device__ bool pending() const { return x.norm || gy.norm; }
  __device__ int column() const { return static_cast<int>(blockIdx.x) % (source_tiles * dest_tiles); }
  __device__ int row() const { return static_cast<int>(blockIdx.x) / (source_tiles * dest_tiles); }
  __device__ int source_slice() const { return column() % source_tiles; }
  __device__ int dest_slice() const { return column() / source_tiles; }
};

using Tile = HaloTile<kDepth>;
constexpr int kTileVoxels = kDepth * kTileEdge * kTileEdge, kDestPitch = plane_pitch(kTileVoxels);
constexpr int kBufferBytes = Tile::kBytes + kHaloPlanes * kDestPitch * 16;
constexpr int kRing = kBuffers * kBufferBytes, kTable = kRing + Ring<kBuffers>::kBytes;
constexpr int kShared = kTable + kNeighbours * 4;

template <class T>
__device__ void copy_gradient(const HaloWeight& w, const CellTiles::Tile& tile, SharedAddress to, int thread) {
  const int plane = thread % kHaloPlanes, channel = w.dest_slice() * kSliceChannels + plane * 8;
  const int corner = w.dest.corner(tile.cell), first = thread / kHaloPlanes, step = kProducers / kHaloPlanes;
  const ChannelRun<const uint16_t> gy = w.gy.from(channel);
  const SharedAddress own = to + plane * kDestPitch * 16;
  const auto find = [&](int v) {
    const int z = tile.z + v / 64, y = tile.y + v / 8 % 8, x = tile.x + v % 8;
    return z < w.dest.edge.z && y < w.dest.edge.y && x < w.dest.edge.x ? corner + w.dest.offset(z, y, x) : -1;
  };
  if (w.gy.norm) {
    ChannelNorm<8> norm;
    norm.read(w.gy.norm, tile.cell.n, channel);
    return settle_voxels<T>(gy, norm, own, first, step, kTileVoxels, 0, settled_turns(kTileVoxels, kProducers), find);
  }
#pragma unroll 2
  for (int v = first; v < kTileVoxels; v += step) {
    const int voxel = find(v);
    copy_async(own + v * 16, gy.of(voxel < 0 ? 0 : voxel), voxel >= 0);
  }
}

// Where one of the two goes through registers, every thread arrives twice: when it has stored, and when its copies of
// the other are done.
template <class T>
__device__ void produce(const HaloWeight& w, SharedAddress shared, const Ring<kBuffers>& ring) {
  const int thread = static_cast<int>(threadIdx.x) - kConsumers;
  Turn<kBuffers> turn;
  for (int t = w.row(); t < w.tiles.count; t += w.rows, turn.next()) {
    const CellTiles::Tile tile = w.tiles.at(t);
    find_neighbours(w.source, tile.cell, shared + kTable, thread, kProducerBarrier, kProducers);
    const SharedAddress buffer = shared + turn.buffer * kBufferBytes;
    turn.wait_empty(ring);
    if (w.x.norm)
      settle_halo<T, kDepth, kProducers>(w.source, tile, shared + kTable, w.x, w.source_slice(), buffer, thread, 0,
                                         settled_turns(Tile::kVoxels, kProducers));
    else copy_halo<kDepth, kProducers>(w.source, tile, shared + kTable, w.x, w.source_slice(), buffer, thread);
    copy_gradient<T>(w, tile, buffer + Tile::kBytes, thread);
    if (w.pending()) barrier_arrive(ring.full(turn.buffer));
    arrive_after_copies(ring.full(turn.buffer));
  }
}

template <class T>
struct Consumer {
  float sums[3][2][4][4] = {};     // [dz][16 of gy's channels][8 of x's]
  int lane, tap;                   // tap of dz = 0
  SharedAddress source, gradient;  // where the lane's rows of the first matrices lie in a buffer

  __device__ Consumer() {
    tap = static_cast<int>(threadIdx.x) / kWarpThreads;
    lane = static_cast<int>(threadIdx.x) % kWarpThreads;
    source = Tile::offset(lane / 16, 0, lane / 8 % 2 + tap / 3, lane % 8 + tap % 3);
    gradient = Tile::kBytes + (lane / 8 % 2 * kDestPitch + lane / 16 * 8 + lane % 8) * 16;
  }
  // Two rows of a plane, 32 channels.
  __device__ static void load(SharedAddress at, int pitch, uint32_t (&f)[2][4]) {
    load_matrices_transposed(f[0], at);
    load_matrices_transposed(f[1], at + 2 * pitch * 16);
  }
  // A plane of x meets the planes of gy that a tap's dz moves it to.
  __device__ void add(SharedAddress buffer) {
#pragma unroll 1
    for (int y = 0; y < kTileEdge; y += 2) {
      uint32_t g[kDepth][2][4], x[2][4];
#pragma unroll
      for (int z = 0; z < kDepth; z++) load(buffer + gradient + (z * 64 + y * 8) * 16, kDestPitch, g[z]);
#pragma unroll
      for (int plane = 0; plane < kDepth + 2; plane++) {
        load(buffer + source + Tile::offset(0, plane, y, 0), Tile::kPitch, x);
#pragma unroll
        for (int z = 0; z < kDepth; z++) {
          if (plane - z < 0 || plane - z > 2) continue;
#pragma unroll
          for (int h = 0; h < 2; h++)
#pragma unroll
            for (int n = 0; n < 4; n++)
              multiply<T>(sums[plane - z][h][n], g[z][h], x[n / 2][n % 2 * 2], x[n / 2][n % 2 * 2 + 1]);
        }
      }
    }
  }
  __device__ void run(const HaloWeight& w, SharedAddress shared, const Ring<kBuffers>& ring) {
    Turn<kBuffers> turn;
    for (int t = w.row(); t < w.tiles.count; t += w.rows, turn.next()) {
      turn.wait_full(ring);
      add(shared + turn.buffer * kBufferBytes);
      release_buffer(ring.empty(turn.buffer));
    }
    const int own = (tap * kSliceChannels + lane / 4) * kSliceChannels + lane % 4 * 2;
    float* to = w.partial + (static_cast<int64_t>(blockIdx.x) * kPartial + own);
#pragma unroll
    for (int dz = 0; dz < 3; dz++)
#pragma unroll
      for (int h = 0; h < 2; h++)
#pragma unroll
        for (int n = 0; n < 4; n++)
#pragma unroll
          for (int i = 0; i < 4; i++)
            to[((dz * 9 * kSliceChannels + h * 16 + i / 2 * 8) * kSliceChannels) + n * 8 + i % 2] = sums[dz][h][n][i];
  }
};

template <class T>
__global__ void __launch_bounds__(kThreads, 1) halo_weight_kernel(HaloWeight w) {
  const SharedAddress shared = dynamic_shared();
  const Ring<kBuffers> ring{shared + kRing};
  if (threadIdx.x == 0) ring.init(kProducers * (w.pending() ? 2 : 1), kConsumers / kWarpThreads);
  __syncthreads();
  if (threadIdx.x < kConsumers) Consumer<T>().run(w, shared, ring);
  else produce<T>(w, shared, ring);
}

// gw[k][tap][c] = the sums of all rows, in order.
struct AddRows {
  const float* partial;
  int rows, source_tiles, dest_tiles;
  float* gw;

  __device__ void operator()(int64_t i) const {
    const int channels = source_tiles * kSliceChannels;
    const int64_t line = quotient(i, channels), k = line / kTaps;
    const int c = static_cast<int>(i - line * channels), tap = static_cast<int>(line - k * kTaps);
    const int64_t column = k / kSliceChannels * source_tiles + c / kSliceChannels;
    const int64_t at = (tap * kSliceChannels + k % kSliceChannels) * kSliceChannels + c % kSliceChannels;
    double sum = 0;
    for (int64_t r = 0; r < rows; r++) sum += partial[(r * source_tiles * dest_tiles + column) * kPartial + at];
    gw[i] = static_cast<float>(sum);
  }
};

}  // namespace

template <class T>
void halo_weight_cuda(const ConvGeometry& g, const Tensor& x, const Tensor& gy, const Tensor& gw, void* workspace) {
  const HaloWeightPlan p = HaloWeightPlan::of(g, x.layout, gy.layout);
  const GridPointer& grid = gy.layout.grid ? gy.layout.grid : x.layout.grid;
  const int rows = static_cast<int>(p.rows);
  const HaloWeight w{cell_view(x.layout, grid),
                     cell_view(gy.layout, grid),
                     cell_tiles(gy.layout, grid, kDepth),
                     p.source_tiles,
                     p.dest_tiles,
                     rows,
                     channel_source<uint16_t>(x),
                     channel_source<uint16_t>(gy),
                     static_cast<float*>(workspace)};
  const auto blocks = static_cast<unsigned>(p.rows * p.source_tiles * p.dest_tiles);
  LAUNCH_KERNEL_SHARED(halo_weight_kernel<T>, blocks, kThreads, kShared, w);
  check_cuda(cudaGetLastError(), "a weight gradient");
  launch_elementwise(gw.layout.shape.elements(), AddRows{w.partial, rows, p.source_tiles, p.dest_tiles, gw.f32()},
                     "a weight gradient");
}

template void halo_weight_cuda<__nv_bfloat16>(const ConvGeometry&, const Tensor&, const Tensor&, const Tensor&, void*);
template void halo_weight_cuda<__half>(const ConvGeometry&, const Tensor&, const Tensor&, const Tensor&, void*);

}  // namespace voxelspark
