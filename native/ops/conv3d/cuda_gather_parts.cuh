// What both forms of the gather GEMM on tensor cores share, that of warps and that of warpgroups: how the sum is shared
// out, the buffers, and how rows are looked up and copied. How sums are stored: cuda_gather_store.cuh.
//
// In a buffer, 8 channels of all rows lie together ("plane"), 16 bytes a row, so that a matrix load reads 128 bytes in
// a row and meets no bank twice.
#pragma once
#include "ops/conv3d/cuda_epilogue.cuh"
#include "ops/conv3d/cuda_pack.cuh"
#include "ops/conv3d/cuda_rows.cuh"
#include "ops/conv3d/cuda_source.cuh"

namespace voxelspark {

constexpr int kGatherProducers = 128, kGatherConsumers = 256, kGatherThreads = kGatherProducers + kGatherConsumers;
constexpr int kGatherBarrier = 1, kGatherConsumerBarrier = 2;  // of the producers, of the consumers

struct GatherGemm {
  GatherRows rows;
  int source_channels, dest_channels, taps, slices, splits;
  int64_t dest_voxels;
  ChannelSource<uint16_t> x;
  const Vector16* weights;  // [tile of columns][tap][slice][plane][column]
  ConvStore store;
  JoinedMap<uint16_t> y;
  float* partial;                  // [split][voxel][channel], or null
  int parts, column_tiles, items;  // classes and splits; of all
};

// So many columns a thread block; a step of the sum is one tap of so many slices of 32 source channels.
template <int kColumns_, int kSlices_, int kBuffers_>
struct GatherShape {
  static constexpr int kColumns = kColumns_, kSlices = kSlices_, kBuffers = kBuffers_;
  static constexpr int kPlanes = kSlices * kSliceChannels / 8;
  // 8 threads write 8 / kPlanes rows of all planes, which must fall into different banks.
  static constexpr int kPitch = kTensorRows + 8 / kPlanes;
  static constexpr int kRowBytes = kPlanes * kPitch * 16, kWeightBytes = kPlanes * kColumns * 16;
  static constexpr int kBytes = kRowBytes + kWeightBytes;
  static constexpr int kRing = kBuffers * kBytes, kTables = kRing + Ring<kBuffers>::kBytes;
  static constexpr int kAll = kTables + 3 * kTensorRows * 4;  // voxels of two taps, samples
};

// A piece of work: tiles of rows and of columns, and which class and split.
struct GatherItem {
  int rows, columns, part;
};

// The part of the sum that an item is: steps [begin, end) over (tap, slices) of a class.
struct GatherPart {
  GatherItem item;
  DeviceLattice lattice;
  int split, begin, end, first_column;
  int64_t first_row;

  __device__ GatherPart(const GatherGemm& g, int columns, int slices, GatherItem item)
      : item(item),
        lattice(g.rows.family.lattice(item.part / g.splits)),
        split(item.part % g.splits),
        first_column(item.columns * columns),
        first_row(static_cast<int64_t>(item.rows) * kTensorRows) {
    const int64_t steps = static_cast<int64_t>(lattice.taps()) * (g.slices / slices);
    begin = static_cast<int>(steps * split / g.splits);
    end = static_cast<int>(steps * (split + 1) / g.splits);
  }
};

// A producer thread: looks up one row a tap for all, and copies the channels of one plane of some rows.
template <class S>
struct GatherProducer {
  static constexpr int kOwnRows = kTensorRows * S::kPlanes / kGatherProducers;
  const GatherGemm& g;
  const GatherPart& part;
  SharedAddress shared;
  Voxel base;
  bool exists;
  int from[kOwnRows];

  __device__ GatherProducer(const GatherGemm& g, const GatherPart& part, SharedAddress shared)
      : g(g), part(part), shared(shared) {
    exists = g.rows.destination(part.lattice, part.first_row + threadIdx.x, base) >= 0;
  }
  // One table is written while slower threads still read the other.
  __device__ void look_up(int tap) {
    const DeviceLattice& l = part.lattice;
    const int row = tap / l.x.count, jz = row / l.y.count;
    const SharedAddress table = shared + S::kTables + tap % 2 * kTensorRows * 4;
    const int64_t voxel =
        exists ? g.rows.source.find(l.source(base, jz, row - jz * l.y.count, tap - row * l.x.count)) : -1;
    store_shared(table + threadIdx.x * 4, static_cast<int>(voxel));
    named_barrier(kGatherBarrier, kGatherProducers);
#pragma unroll
    for (int i = 0; i < kOwnRows; i++) from[i] = load_shared(table + own_row(i) * 4);
  }
  __device__ static int own_row(int i) {
    return static_cast<int>(threadIdx.x) / S::kPlanes + i * (kGatherProducers / S::kPlanes);
  }
  __device__ void copy_rows(SharedAddress to, int slice) const {
    const int plane = threadIdx.x % S::kPlanes, channel = slice * kSliceChannels + plane * 8;
    const bool has_channel = channel < g.source_channels;
    const ChannelRun<const uint16_t> x = g.x.from(has_channel ? channel : 0);
#pragma unroll
    for (int i = 0; i < kOwnRows; i++) {
      const bool valid = has_channel && from[i] >= 0;
      copy_async(to + (plane * S::kPitch + own_row(i)) * 16, x.of(valid ? from[i] : 0), valid);
    }
  }
  // Where a normalisation is pending on the source, rows go through registers: they are fetched a step ahead, then
  // settled and stored. Lookups may meanwhile move on.
  struct Held {
    Vector16 rows[kOwnRows];
    uint32_t valid;
  };

  __device__ SharedAddress samples() const { return shared + S::kTables + 2 * kTensorRows * 4; }
  __device__ static int own_channel(int slice) {
    return slice * kSliceChannels + static_cast<int>(threadIdx.x) % S::kPlanes * 8;
  }
  __device__ Held fetch_rows(int slice) const {
    const int channel = own_channel(slice);
    Held held;
    held.valid = 0;
#pragma unroll
    for (int i = 0; i < kOwnRows; i++) {
      const bool valid = channel < g.source_channels && from[i] >= 0;
      held.rows[i] = {};
      if (valid) held.rows[i] = load_global(g.x.first + int64_t{from[i]} * g.source_channels + channel);
      held.valid |= (valid ? 1u : 0u) << i;
    }
    return held;
  }
  template <class T>
  __device__ void put_rows(SharedAddress to, const Held& held, int slice) const {
    const int plane = threadIdx.x % S::kPlanes;
    ChannelNorm<8> norm;
    int sample = -1;
#pragma unroll
    for (int i = 0; i < kOwnRows; i++) {
      Vector16 row = held.rows[i];
      if (held.valid >> i & 1) {
        const int own = load_shared(samples() + own_row(i) * 4);
        if (own != sample) norm.read(g.x.norm, sample = own, own_channel(slice));
        row = settled<T>(row, norm);
      }
      store_shared(to + (plane * S::kPitch + own_row(i)) * 16, row);
    }
  }
  // Returns the first slice of a step.
  __device__ int begin(int step) {
    const int steps = g.slices / S::kSlices, tap = step / steps;
    if (step == part.begin || step == tap * steps) look_up(tap);
    return (step - tap * steps) * S::kSlices;
  }
  // The whole of a pending producer: copy_weights(turn, tap, slice) starts their copies, announce(turn) says that this
  // thread's rows are stored.
  template <class T, class CopyWeights, class Announce>
  __device__ void run_pending(const Ring<S::kBuffers>& ring, Turn<S::kBuffers>& turn, const CopyWeights& copy_weights,
                              const Announce& announce) {
    if (part.begin == part.end) return;
    store_shared(samples() + threadIdx.x * 4,
                 exists ? base.n : 0);  // seen by all after the barrier of the first lookup
    int slice = begin(part.begin);
    Held held = fetch_rows(slice);
#pragma unroll 1
    for (int step = part.begin; step < part.end; step++, turn.next()) {
      const Held now = held;
      const int own = slice;
      if (step + 1 < part.end) held = fetch_rows(slice = begin(step + 1));
      turn.wait_empty(ring);
      copy_weights(turn, step / (g.slices / S::kSlices), own);
      put_rows<T>(shared + turn.buffer * S::kBytes, now, own);
      announce(turn);
    }
  }
  // Of a step: S::kWeightBytes.
  __device__ const Vector16* weights_of(int tap, int slice) const {
    const DeviceLattice& l = part.lattice;
    const int row = tap / l.x.count, jz = row / l.y.count;
    const int64_t stored = l.weight_of(jz, row - jz * l.y.count, tap - row * l.x.count);
    const int64_t unit = (static_cast<int64_t>(part.item.columns) * g.taps + stored) * g.slices + slice;
    return g.weights + unit * (kSliceChannels / 8 * S::kColumns);
  }
};

// Packs the weights and describes the work; the workspace has the plan's bytes.
template <class T>
GatherGemm prepare_gather_gemm(const TensorGemmPlan& p, const ConvGeometry& geometry, bool adjoint,
                               const Tensor& source, const Tensor& weight, const ConvStore& store, const Tensor& dest,
                               void* workspace) {
  char* memory = static_cast<char*>(workspace);
  const int c = static_cast<int>(source.layout.channels()), k = static_cast<int>(dest.layout.channels());
  const int64_t stored = weight.layout.channels(), filter = p.taps * stored;  // [K][tap][stored]
  pack_weights<T>({weight.f32(), stored, adjoint ? filter : 1, adjoint ? 1 : filter, c, k, p.taps, p.slices, p.columns,
                   false, false},
                  memory);
  return {gather_rows(geometry, adjoint, source.layout, dest.layout),
          c,
          k,
          p.taps,
          p.slices,
          p.splits,
          dest.layout.voxels(),
          channel_source<uint16_t>(source),
          reinterpret_cast<const Vector16*>(memory),
          store,
          joined_map<uint16_t>(dest),
          p.splits > 1 ? reinterpret_cast<float*>(memory + p.packed_bytes) : nullptr,
          static_cast<int>(p.classes) * p.splits,
          p.column_tiles,
          static_cast<int>(p.items())};
}

inline dim3 gather_grid(const TensorGemmPlan& p) {
  return dim3(static_cast<unsigned>((p.rows + kTensorRows - 1) / kTensorRows), static_cast<unsigned>(p.column_tiles),
              static_cast<unsigned>(p.classes * p.splits));
}

}  // namespace voxelspark
