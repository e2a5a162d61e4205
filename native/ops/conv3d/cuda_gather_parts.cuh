// What both forms of the gather GEMM on tensor cores share, that of warps and that of warpgroups: how the sum is shared
// out, the buffers, how rows are looked up and copied, and how sums are written.
//
// In a buffer, 8 channels of all rows lie together ("plane"), 16 bytes a row, so that a matrix load reads 128 bytes in
// a row and meets no bank twice.
#pragma once
#include "ops/conv3d/cuda_pack.cuh"
#include "ops/conv3d/cuda_rows.cuh"

namespace voxelspark {

constexpr int kGatherProducers = 128, kGatherConsumers = 256, kGatherThreads = kGatherProducers + kGatherConsumers;
constexpr int kGatherBarrier = 1;  // of the producers

struct GatherGemm {
  GatherRows rows;
  int source_channels, dest_channels, taps, slices, splits;
  int64_t dest_voxels;
  const uint16_t* x;
  const Vector16* weights;  // [tile of columns][tap][slice][plane][column]
  const float* bias;
  uint16_t* y;
  float* partial;  // [split][voxel][channel], or null
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
  static constexpr int kAll = kTables + 2 * kTensorRows * 4;
};

// The part of the sum that a thread block adds up: steps [begin, end) over (tap, slices) of a class.
struct GatherPart {
  DeviceLattice lattice;
  int split, begin, end, first_column;
  int64_t first_row;

  __device__ GatherPart(const GatherGemm& g, int columns, int slices)
      : lattice(g.rows.family.lattice(blockIdx.z / g.splits)),
        split(static_cast<int>(blockIdx.z) % g.splits),
        first_column(static_cast<int>(blockIdx.y) * columns),
        first_row(static_cast<int64_t>(blockIdx.x) * kTensorRows) {
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
#pragma unroll
    for (int i = 0; i < kOwnRows; i++) {
      const bool valid = has_channel && from[i] >= 0;
      const int64_t at = valid ? static_cast<int64_t>(from[i]) * g.source_channels + channel : 0;
      copy_async(to + (plane * S::kPitch + own_row(i)) * 16, g.x + at, valid);
    }
  }
  // Of a step: S::kWeightBytes.
  __device__ const Vector16* weights_of(int tap, int slice) const {
    const DeviceLattice& l = part.lattice;
    const int row = tap / l.x.count, jz = row / l.y.count;
    const int64_t stored = l.weight_of(jz, row - jz * l.y.count, tap - row * l.x.count);
    const int64_t unit = (static_cast<int64_t>(blockIdx.y) * g.taps + stored) * g.slices + slice;
    return g.weights + unit * (kSliceChannels / 8 * S::kColumns);
  }
};

// Two neighbouring channels of a voxel, c being the first.
__device__ inline void put_sums(float* to, int c, const GatherGemm& g, float low, float high) {
  to[c] = low;
  if (c + 1 < g.dest_channels) to[c + 1] = high;
}
template <class T>
__device__ void put_sums(uint16_t* to, int c, const GatherGemm& g, float low, float high) {
  const bool both = c + 1 < g.dest_channels;
  if (g.bias) {
    low += g.bias[c];
    if (both) high += g.bias[c + 1];
  }
  const uint32_t word = pack<T>(low, high);
  if (g.dest_channels % 2 == 0) {
    *reinterpret_cast<uint32_t*>(to + c) = word;
    return;
  }
  to[c] = static_cast<uint16_t>(word);
  if (both) to[c + 1] = static_cast<uint16_t>(word >> 16);
}

// A lane's sums of one row, as products leave them: of every 8 of kColumns columns two, at line[0] and [1], [4] and [5]
// …
template <class T, int kColumns>
__device__ void write_sums(const GatherGemm& g, const GatherPart& part, int row, int column, const float* line) {
  Voxel base;
  const int64_t voxel = g.rows.destination(part.lattice, part.first_row + row, base);
  if (voxel < 0) return;
#pragma unroll
  for (int n = 0; n < kColumns / 8; n++) {
    const int c = part.first_column + column + n * 8 + static_cast<int>(threadIdx.x) % 4 * 2;
    if (c >= g.dest_channels) continue;
    const float low = line[n * 4], high = line[n * 4 + 1];
    if (g.partial) put_sums(g.partial + (part.split * g.dest_voxels + voxel) * g.dest_channels, c, g, low, high);
    else put_sums<T>(g.y + voxel * g.dest_channels, c, g, low, high);
  }
}

// y = bias + the parts of the sum, in order.
template <class T>
struct AddParts {
  const float *partial, *bias;
  int64_t elements;
  int splits, channels;
  uint16_t* y;

  __device__ void operator()(int64_t i) const {
    float sum = 0;
    for (int s = 0; s < splits; s++) sum += partial[s * elements + i];
    if (bias) sum += bias[i - quotient(i, channels) * channels];
    y[i] = static_cast<uint16_t>(pack<T>(sum, 0));
  }
};

// Packs the weights and describes the work; the workspace has the plan's bytes.
template <class T>
GatherGemm prepare_gather_gemm(const TensorGemmPlan& p, const ConvGeometry& geometry, bool adjoint,
                               const Tensor& source, const Tensor& weight, const float* bias, const Tensor& dest,
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
          source.as<uint16_t>(),
          reinterpret_cast<const Vector16*>(memory),
          bias,
          dest.as<uint16_t>(),
          p.splits > 1 ? reinterpret_cast<float*>(memory + p.packed_bytes) : nullptr};
}

inline dim3 gather_grid(const TensorGemmPlan& p) {
  return dim3(static_cast<unsigned>((p.rows + kTensorRows - 1) / kTensorRows), static_cast<unsigned>(p.column_tiles),
              static_cast<unsigned>(p.classes * p.splits));
}

template <class T>
void add_parts(const GatherGemm& g) {
  const int64_t elements = g.dest_voxels * g.dest_channels;
  if (g.splits > 1)
    launch_elementwise(elements, AddParts<T>{g.partial, g.bias, elements, g.splits, g.dest_channels, g.y},
                       "a convolution");
}

}  // namespace voxelspark
