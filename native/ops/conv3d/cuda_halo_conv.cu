// 3 x 3 x 3 convolution of stride 1 on halo tiles: a thread block computes 4 x 8 x 8 voxels by 32 or 64 channels at a
// time and stays for several tiles. The sum runs over slices of 32 source channels; of each, the tile and its halo are
// copied once and serve all 27 taps. The adjoint is the same with the taps reversed.
//
// Four warps copy in the background, tiles into two buffers and weights, some taps at a time, into a ring; eight warps
// multiply, 2 x (2 x 8) voxels by all columns each. Sums are float32 and in one order, so the same bits in every run.
#include "ops/conv3d/cuda_halo.cuh"
#include "ops/conv3d/cuda_halo_conv.cuh"
#include "ops/conv3d/cuda_pack.cuh"

namespace voxelspark {

namespace {

constexpr int kProducers = 128, kConsumers = 256, kThreads = kProducers + kConsumers;
constexpr int kProducerBarrier = 1;
constexpr int kOwnPlanes = 2;  // of a warp
constexpr int kHaloBuffers = 2;
constexpr int kTaps = 27;

struct HaloConv {
  CellView source, dest;
  CellTiles tiles;
  int source_channels, dest_channels, slices, column_tiles;
  const uint16_t* x;
  const Vector16* weights;  // [tile of columns][slice][tap][plane][column]
  const float* bias;
  uint16_t* y;
};

// Taps that are copied together, and buffers for them: as much as 99 kB, the least of any device, leave.
template <int kColumns>
struct Shape {
  static constexpr int kUnitTaps = kColumns == 32 ? 3 : 1, kUnits = kTaps / kUnitTaps;
  static constexpr int kBuffers = kColumns == 32 ? 3 : 5;
  static constexpr int kUnitBytes = kUnitTaps * kHaloPlanes * kColumns * 16;
  using Tile = HaloTile<kTileDepth>;
  using HaloRing = Ring<kHaloBuffers>;
  using WeightRing = Ring<kBuffers>;
  static constexpr int kWeights = kHaloBuffers * Tile::kBytes;
  static constexpr int kHaloRing = kWeights + kBuffers * kUnitBytes;
  static constexpr int kWeightRing = kHaloRing + HaloRing::kBytes;
  static constexpr int kTable = kWeightRing + WeightRing::kBytes;
  static constexpr int kAll = kTable + kNeighbours * 4;
};

// The sums of a thread block: tiles by tiles of columns by slices.
struct Place {
  int item, slice;

  __device__ bool exists(const HaloConv& g) const { return item < g.tiles.count * g.column_tiles; }
  __device__ Place next(const HaloConv& g) const {
    return slice + 1 < g.slices ? Place{item, slice + 1} : Place{item + static_cast<int>(gridDim.x), 0};
  }
};

template <int kColumns>
struct Producer {
  using S = Shape<kColumns>;
  const HaloConv& g;
  SharedAddress shared;
  typename S::HaloRing halos;
  typename S::WeightRing weights;
  Turn<kHaloBuffers> halo_turn = {};
  Turn<S::kBuffers> weight_turn = {};

  __device__ void copy_halo_of(const Place& place) {
    const CellTiles::Tile tile = g.tiles.at(place.item / g.column_tiles);
    const SharedAddress table = shared + S::kTable;
    const int thread = static_cast<int>(threadIdx.x);
    if (place.slice == 0) find_neighbours(g.source, tile.cell, table, thread, kProducerBarrier, kProducers);
    halo_turn.wait_empty(halos);
    copy_halo<kTileDepth, kProducers>(g.source, tile, table, g.x, g.source_channels, place.slice,
                                      shared + halo_turn.buffer * S::Tile::kBytes, thread);
    arrive_after_copies(halos.full(halo_turn.buffer));
    halo_turn.next();
  }
  __device__ void copy_weights(const Place& place, int unit) {
    constexpr int kVectors = S::kUnitBytes / 16;
    const int64_t first =
        (static_cast<int64_t>(place.item % g.column_tiles) * g.slices + place.slice) * S::kUnits + unit;
    const SharedAddress to = shared + S::kWeights + weight_turn.buffer * S::kUnitBytes;
    weight_turn.wait_empty(weights);
    for (int i = threadIdx.x; i < kVectors; i += kProducers)
      copy_async(to + i * 16, g.weights + first * kVectors + i, true);
    arrive_after_copies(weights.full(weight_turn.buffer));
    weight_turn.next();
  }
  // The next tile is asked for as soon as the buffers of weights say that the last one is used up.
  __device__ void run() {
    constexpr int kLead = S::kBuffers < S::kUnits ? S::kBuffers : S::kUnits - 1;
    Place place{static_cast<int>(blockIdx.x), 0};
    if (place.exists(g)) copy_halo_of(place);
    while (place.exists(g)) {
      const Place next = place.next(g);
      for (int unit = 0; unit < S::kUnits; unit++) {
        if (unit == kLead && next.exists(g)) copy_halo_of(next);
        copy_weights(place, unit);
      }
      place = next;
    }
  }
};

// Words of a quad of lanes, transposed: lane q gets word q of every lane.
__device__ inline void transpose_quad(uint32_t (&w)[4], int q) {
#pragma unroll
  for (int step = 1; step <= 2; step *= 2) {
    const bool upper = q & step;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      if (i & step) continue;
      const uint32_t got = shuffle_xor(upper ? w[i] : w[i + step], step);
      if (upper) w[i] = got;
      else w[i + step] = got;
    }
  }
}

template <class T, int kColumns>
struct Consumer {
  using S = Shape<kColumns>;
  const HaloConv& g;
  SharedAddress shared;
  typename S::HaloRing halos;
  typename S::WeightRing weights;
  int lane, z, y;  // first plane and row of the warp in the tile
  float sums[kOwnPlanes][kColumns / 8][4];

  __device__ Consumer(const HaloConv& g, SharedAddress shared, typename S::HaloRing halos,
                      typename S::WeightRing weights)
      : g(g), shared(shared), halos(halos), weights(weights) {
    const int warp = (static_cast<int>(threadIdx.x) - kProducers) / kWarpThreads;
    lane = static_cast<int>(threadIdx.x) % kWarpThreads;
    z = warp / 4 * kOwnPlanes;
    y = warp % 4 * 2;
  }
  __device__ void clear() {
#pragma unroll
    for (auto& plane : sums)
#pragma unroll
      for (auto& fragment : plane)
#pragma unroll
        for (float& sum : fragment) sum = 0;
  }
  __device__ void add_tap(SharedAddress halo, SharedAddress taps, int dz, int dy, int dx) {
#pragma unroll
    for (int k = 0; k < kSliceChannels / 16; k++) {
      uint32_t a[kOwnPlanes][4];
#pragma unroll
      for (int m = 0; m < kOwnPlanes; m++)
        load_matrices(a[m],
                      halo + S::Tile::offset(k * 2 + lane / 16, z + m + dz, y + lane / 8 % 2 + dy, lane % 8 + dx));
#pragma unroll
      for (int n = 0; n < kColumns / 16; n++) {
        uint32_t b[4];
        const int column = n * 16 + lane / 16 * 8 + lane % 8;
        load_matrices(b, taps + ((k * 2 + lane / 8 % 2) * kColumns + column) * 16);
#pragma unroll
        for (int m = 0; m < kOwnPlanes; m++) {
          multiply<T>(sums[m][2 * n], a[m], b[0], b[1]);
          multiply<T>(sums[m][2 * n + 1], a[m], b[2], b[3]);
        }
      }
    }
  }
  __device__ void add_unit(SharedAddress halo, SharedAddress taps, int unit) {
#pragma unroll
    for (int i = 0; i < S::kUnitTaps; i++) {
      const int tap = unit * S::kUnitTaps + i;
      add_tap(halo, taps + i * kHaloPlanes * kColumns * 16, tap / 9, tap / 3 % 3, tap % 3);
    }
  }
  __device__ void run() {
    Turn<kHaloBuffers> halo_turn;
    Turn<S::kBuffers> weight_turn;
    for (Place place{static_cast<int>(blockIdx.x), 0}; place.exists(g); place = place.next(g)) {
      if (place.slice == 0) clear();
      halo_turn.wait_full(halos);
      for (int unit = 0; unit < S::kUnits; unit++, weight_turn.next()) {
        weight_turn.wait_full(weights);
        add_unit(shared + halo_turn.buffer * S::Tile::kBytes, shared + S::kWeights + weight_turn.buffer * S::kUnitBytes,
                 unit);
        release_buffer(weights.empty(weight_turn.buffer));
      }
      release_buffer(halos.empty(halo_turn.buffer));
      halo_turn.next();
      if (place.slice + 1 == g.slices) write(place.item);
    }
  }
  __device__ void write(int item) const {
    const CellTiles::Tile tile = g.tiles.at(item / g.column_tiles);
    const int first = item % g.column_tiles * kColumns, corner = g.dest.corner(tile.cell), x = tile.x + lane / 4;
#pragma unroll
    for (int m = 0; m < kOwnPlanes; m++)
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const int vz = tile.z + z + m, vy = tile.y + y + half;
        const bool exists = vz < g.dest.edge.z && vy < g.dest.edge.y && x < g.dest.edge.x;
        const int64_t voxel = exists ? corner + g.dest.offset(vz, vy, x) : -1;
#pragma unroll
        for (int n = 0; n < kColumns / 32; n++) write_line(sums[m], n, half, voxel, first + n * 32);
      }
  }
  // 32 channels of 8 voxels: a quad holds a voxel, and each of its lanes writes 8 channels.
  __device__ void write_line(const float (&line)[kColumns / 8][4], int n, int half, int64_t voxel, int channel) const {
    const int q = lane % 4;
    Vector16 out;
#pragma unroll
    for (int j = 0; j < 4; j++) {
      const float* pair = &line[n * 4 + j][half * 2];
      const float* bias = g.bias ? g.bias + channel + j * 8 + q * 2 : nullptr;
      out.word[j] = pack<T>(pair[0] + (bias ? bias[0] : 0), pair[1] + (bias ? bias[1] : 0));
    }
    transpose_quad(out.word, q);
    if (voxel >= 0) *reinterpret_cast<Vector16*>(g.y + voxel * g.dest_channels + channel + q * 8) = out;
  }
};

template <class T, int kColumns>
__global__ void __launch_bounds__(kThreads, 1) halo_conv_kernel(HaloConv g) {
  using S = Shape<kColumns>;
  const SharedAddress shared = dynamic_shared();
  const typename S::HaloRing halos{shared + S::kHaloRing};
  const typename S::WeightRing weights{shared + S::kWeightRing};
  if (threadIdx.x == 0) {
    halos.init(kProducers, kConsumers / kWarpThreads);
    weights.init(kProducers, kConsumers / kWarpThreads);
  }
  __syncthreads();
  if (threadIdx.x < kProducers) Producer<kColumns>{g, shared, halos, weights}.run();
  else Consumer<T, kColumns>(g, shared, halos, weights).run();
}

template <class T, int kColumns>
void launch(const HaloConv& g) {
  int processors = 0;
  check_cuda(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, 0), "a look at the device");
  const int items = g.tiles.count * g.column_tiles;
  const auto blocks = static_cast<unsigned>(items < processors ? items : processors);
  LAUNCH_KERNEL_SHARED((halo_conv_kernel<T, kColumns>), blocks, kThreads, Shape<kColumns>::kAll, g);
  check_cuda(cudaGetLastError(), "a convolution");
}

}  // namespace

template <class T>
void halo_conv_cuda(const ConvGeometry& g, bool adjoint, const Tensor& source, const Tensor& weight, const float* bias,
                    const Tensor& dest, void* workspace) {
  const HaloPlan p = HaloPlan::of(g, source.layout, dest.layout);
  const GridPointer& grid = dest.layout.grid ? dest.layout.grid : source.layout.grid;
  const int64_t stored = weight.layout.channels(), filter = kTaps * stored;  // [K][tap][stored]
  const int c = static_cast<int>(source.layout.channels()), k = static_cast<int>(dest.layout.channels());
  const HaloConv conv{cell_view(source.layout, grid),
                      cell_view(dest.layout, grid),
                      cell_tiles(dest.layout, grid, kTileDepth),
                      c,
                      k,
                      p.slices,
                      p.column_tiles,
                      source.as<uint16_t>(),
                      static_cast<const Vector16*>(workspace),
                      bias,
                      dest.as<uint16_t>()};
  if (conv.tiles.count == 0) return;
  pack_weights<T>({weight.f32(), stored, adjoint ? filter : 1, adjoint ? 1 : filter, c, k, kTaps, p.slices, p.columns,
                   true, adjoint},
                  workspace);
  if (p.columns == 64) launch<T, 64>(conv);
  else launch<T, 32>(conv);
}

template void halo_conv_cuda<__nv_bfloat16>(const ConvGeometry&, bool, const Tensor&, const Tensor&, const float*,
                                            const Tensor&, void*);
template void halo_conv_cuda<__half>(const ConvGeometry&, bool, const Tensor&, const Tensor&, const float*,
                                     const Tensor&, void*);

}  // namespace voxelspark
