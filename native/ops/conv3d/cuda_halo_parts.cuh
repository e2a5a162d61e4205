// What both forms of the convolution on halo tiles share, that of warps and that of warpgroups: how work is shared out,
// the buffers, the producers, and how sums are written.
#pragma once
#include "ops/conv3d/cuda_epilogue.cuh"
#include "ops/conv3d/cuda_halo.cuh"
#include "ops/conv3d/cuda_pack.cuh"

namespace voxelspark {

constexpr int kHaloProducers = 128, kHaloConsumers = 256, kHaloThreads = kHaloProducers + kHaloConsumers;
constexpr int kHaloBarrier = 1, kHaloConsumerBarrier = 2;  // of the producers, of the consumers
constexpr int kHaloBuffers = 2;
constexpr int kHaloTaps = 27;

struct HaloConv {
  CellView source, dest;
  CellTiles tiles;
  int slices, column_tiles;
  ChannelSource<uint16_t> x;
  const Vector16* weights;  // [tile of columns][slice][tap][plane][column]
  ConvStore store;
  JoinedMap<uint16_t> y;

  // The first piece of work from `item` on that a thread block has to do: of what is added, only tiles that read a
  // stored voxel of x.
  __device__ int from(int item) const {
    while (store.adds && exists(item) && !sees(source, tiles.at(item / column_tiles), tiles.depth))
      item += static_cast<int>(gridDim.x);
    return item;
  }
  __device__ bool exists(int item) const { return item < tiles.count * column_tiles; }
};

// A tile of so many planes by so many channels; weights of some taps are copied together, into so many buffers.
template <int kColumns_, int kDepth_, int kUnitTaps_, int kBuffers_>
struct HaloShape {
  static constexpr int kColumns = kColumns_, kDepth = kDepth_, kUnitTaps = kUnitTaps_, kBuffers = kBuffers_;
  static constexpr int kOwnPlanes = kDepth / 2;  // of a consumer
  static constexpr int kUnits = kHaloTaps / kUnitTaps;
  static constexpr int kUnitBytes = kUnitTaps * kHaloPlanes * kColumns * 16;
  using Tile = HaloTile<kDepth>;
  using HaloRing = Ring<kHaloBuffers>;
  using WeightRing = Ring<kBuffers>;
  static constexpr int kWeights = kHaloBuffers * Tile::kBytes;
  static constexpr int kHaloRing = kWeights + kBuffers * kUnitBytes;
  static constexpr int kWeightRing = kHaloRing + HaloRing::kBytes;
  static constexpr int kTable = kWeightRing + WeightRing::kBytes;
  using Lines = FragmentLines<kHaloConsumers / kWarpThreads, kColumns>;
  static constexpr int kMoments = kTable + (kNeighbours + 1) * 4;
  static constexpr int kAll = kMoments + Lines::kBytes;
};

// The sums of a thread block: tiles by tiles of columns by slices.
struct HaloPlace {
  int item, slice;

  __device__ static HaloPlace first(const HaloConv& g) { return {g.from(static_cast<int>(blockIdx.x)), 0}; }
  __device__ bool exists(const HaloConv& g) const { return g.exists(item); }
  __device__ HaloPlace next(const HaloConv& g) const {
    if (slice + 1 < g.slices) return {item, slice + 1};
    return {g.from(item + static_cast<int>(gridDim.x)), 0};
  }
};

template <class S>
struct HaloMemory {
  SharedAddress shared;
  typename S::HaloRing halos;
  typename S::WeightRing weights;

  __device__ explicit HaloMemory(SharedAddress shared)
      : shared(shared), halos{shared + S::kHaloRing}, weights{shared + S::kWeightRing} {}
  __device__ SharedAddress halo(int buffer) const { return shared + buffer * S::Tile::kBytes; }
  __device__ SharedAddress unit(int buffer) const { return shared + S::kWeights + buffer * S::kUnitBytes; }
};

// Derived says how weights are copied and how the arrival of a tile is announced.
template <class T, class S, class Derived>
struct HaloProducer {
  // The next tile is asked for as soon as the buffers of weights say that the last one is used up. One that goes
  // through registers comes in parts between the weights, which the consumers would wait for otherwise.
  static constexpr int kLead = S::kBuffers < S::kUnits ? S::kBuffers : S::kUnits - 1;
  static constexpr int kTurns = settled_turns(S::Tile::kVoxels, kHaloProducers);
  static constexpr int kPartTurns =
      (kTurns / kSettledBatch + S::kUnits - kLead - 1) / (S::kUnits - kLead) * kSettledBatch;

  const HaloConv& g;
  HaloMemory<S> memory;
  Turn<kHaloBuffers> halo_turn = {};
  Turn<S::kBuffers> weight_turn = {};

  __device__ HaloProducer(const HaloConv& g, const HaloMemory<S>& memory) : g(g), memory(memory) {}
  // Part `part` of the tile; copies are started all at once.
  __device__ void copy_halo_of(const HaloPlace& place, int part) {
    if (part * kPartTurns >= kTurns || (part && !g.x.norm)) return;
    const CellTiles::Tile tile = g.tiles.at(place.item / g.column_tiles);
    const SharedAddress table = memory.shared + S::kTable, to = memory.halo(halo_turn.buffer);
    const int thread = static_cast<int>(threadIdx.x), begin = part * kPartTurns, end = begin + kPartTurns;
    if (part == 0) {
      if (place.slice == 0) find_neighbours(g.source, tile.cell, table, thread, kHaloBarrier, kHaloProducers);
      halo_turn.wait_empty(memory.halos);
    }
    if (g.x.norm)
      settle_halo<T, S::kDepth, kHaloProducers>(g.source, tile, table, g.x, place.slice, to, thread, begin,
                                                end < kTurns ? end : kTurns);
    else copy_halo<S::kDepth, kHaloProducers>(g.source, tile, table, g.x, place.slice, to, thread);
  }
  __device__ const Vector16* unit_of(const HaloPlace& place, int unit) const {
    const int64_t first = (static_cast<int64_t>(place.item % g.column_tiles) * g.slices + place.slice) * S::kUnits;
    return g.weights + (first + unit) * (S::kUnitBytes / 16);
  }
  __device__ void run() {
    Derived& own = static_cast<Derived&>(*this);
    HaloPlace place = HaloPlace::first(g);
    if (!place.exists(g)) return;
    for (int part = 0; part * kPartTurns < kTurns; part++) copy_halo_of(place, part);
    own.announce_halo();
    while (place.exists(g)) {
      const HaloPlace next = place.next(g);
      for (int unit = 0; unit < S::kUnits; unit++) {
        if (unit >= kLead && next.exists(g)) copy_halo_of(next, unit - kLead);
        own.copy_weights(place, unit);
      }
      if (next.exists(g)) own.announce_halo();
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

// The sums of a consumer warp: two rows of 8 voxels of some planes by all columns, as products leave them in registers.
template <class T, class S>
struct HaloSums {
  float plane[S::kOwnPlanes][S::kColumns / 2];
  int lane, z, y;  // first plane and row of the warp in the tile

  __device__ HaloSums() {
    const int warp = (static_cast<int>(threadIdx.x) - kHaloProducers) / kWarpThreads;
    lane = static_cast<int>(threadIdx.x) % kWarpThreads;
    z = warp / 4 * S::kOwnPlanes;
    y = warp % 4 * 2;
  }
  __device__ void clear() {
#pragma unroll
    for (auto& sums : plane)
#pragma unroll
      for (float& sum : sums) sum = 0;
  }
  __device__ void finish(const HaloConv& g, int item, const HaloMemory<S>& memory) const {
    if (g.store.moments.partial) leave_moments(g, item, memory.shared + S::kMoments);
    write(g, item);
  }
  __device__ void write(const HaloConv& g, int item) const {
    const CellTiles::Tile tile = g.tiles.at(item / g.column_tiles);
    const int first = item % g.column_tiles * S::kColumns, corner = g.dest.corner(tile.cell), x = tile.x + lane / 4;
#pragma unroll
    for (int m = 0; m < S::kOwnPlanes; m++)
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const int vz = tile.z + z + m, vy = tile.y + y + half;
        const bool exists = vz < g.dest.edge.z && vy < g.dest.edge.y && x < g.dest.edge.x;
        const int64_t voxel = exists ? corner + g.dest.offset(vz, vy, x) : -1;
#pragma unroll
        for (int n = 0; n < S::kColumns / 32; n++) write_line(g, &plane[m][n * 16 + half * 2], voxel, first + n * 32);
      }
  }
  // 32 channels of 8 voxels: a quad holds a voxel, and each of its lanes writes 8 channels.
  __device__ void write_line(const HaloConv& g, const float* line, int64_t voxel, int channel) const {
    const int q = lane % 4;
    Vector16* to = reinterpret_cast<Vector16*>(g.y.from(channel + q * 8).of(voxel));
    Vector16 out = {};
    if (g.store.adds) {  // all lanes: what they hold goes the way back
      if (voxel >= 0) out = *to;
      transpose_quad(out.word, q);
    }
#pragma unroll
    for (int j = 0; j < 4; j++) {
      const float* bias = g.store.bias ? g.store.bias + channel + j * 8 + q * 2 : nullptr;
      const float low = line[j * 4] + (bias ? bias[0] : 0), high = line[j * 4 + 1] + (bias ? bias[1] : 0);
      out.word[j] = g.store.adds ? sum_of<T>(out.word[j], low, high) : pack<T>(low, high);
    }
    transpose_quad(out.word, q);
    if (voxel >= 0) *to = out;
  }
  // The statistics of the tile; to be called by all consumers.
  __device__ void leave_moments(const HaloConv& g, int item, SharedAddress shared) const {
    const CellTiles::Tile tile = g.tiles.at(item / g.column_tiles);
    const Extent edge = g.dest.edge;
    const auto within = [](int at, int size, int most) { return size - at < most ? size - at : most; };
    const int count =
        within(tile.z, edge.z, S::kDepth) * within(tile.y, edge.y, kTileEdge) * within(tile.x, edge.x, kTileEdge);
    uint32_t rows = 0;
#pragma unroll
    for (int r = 0; r < 2 * S::kOwnPlanes; r++)
      if (tile.z + z + r / 2 < edge.z && tile.y + y + r % 2 < edge.y && tile.x + lane / 4 < edge.x) rows |= 1u << r;
    const int warp = (static_cast<int>(threadIdx.x) - kHaloProducers) / kWarpThreads;
    const typename S::Lines lines{shared, warp, 0, kHaloConsumerBarrier, kHaloConsumers};
    slot_moments<2 * S::kOwnPlanes, S::kColumns / 4>(lines, g.store.moments, item / g.column_tiles, count,
                                                     item % g.column_tiles * S::kColumns, rows, [&](int r, int c) {
                                                       return plane[r / 2][c / 2 * 4 + r % 2 * 2 + c % 2];
                                                     });
  }
};

// Packs the weights for tiles of so many columns and describes the work.
template <class T>
HaloConv prepare_halo_conv(bool adjoint, const Tensor& source, const Tensor& weight, const ConvStore& store,
                           const Tensor& dest, void* workspace, int columns, int depth) {
  const GridPointer& grid = dest.layout.grid ? dest.layout.grid : source.layout.grid;
  const int64_t stored = weight.layout.channels(), filter = kHaloTaps * stored;  // [K][tap][stored]
  const int c = static_cast<int>(source.layout.channels()), k = static_cast<int>(dest.layout.channels());
  const int slices = c / kSliceChannels;
  pack_weights<T>({weight.f32(), stored, adjoint ? filter : 1, adjoint ? 1 : filter, c, k, kHaloTaps, slices, columns,
                   true, adjoint},
                  workspace);
  return {cell_view(source.layout, grid),
          cell_view(dest.layout, grid),
          cell_tiles(dest.layout, grid, depth),
          slices,
          k / columns,
          channel_source<uint16_t>(source),
          static_cast<const Vector16*>(workspace),
          store,
          joined_map<uint16_t>(dest)};
}

// Thread blocks that stay: one a processor, or fewer.
inline unsigned halo_blocks(const HaloConv& g) {
  int processors = 0;
  check_cuda(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, 0), "a look at the device");
  const int items = g.tiles.count * g.column_tiles;
  return static_cast<unsigned>(items < processors ? items : processors);
}

}  // namespace voxelspark
