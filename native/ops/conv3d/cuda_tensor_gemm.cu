// Gather GEMM on tensor cores: 128 destination voxels by 32, 64 or 128 destination channels a thread block; a step of
// the sum is one tap of 32 source channels. Any kernel, stride, block edge and mask, and source channels in multiples
// of 8.
//
// Four warps look voxels up and copy their channels and the weights into a ring of buffers in the background; eight
// warps multiply, 32 rows by half of the columns each. In a buffer, 8 channels of all rows lie together ("plane"), 16
// bytes a row, so that a matrix load reads 128 bytes in a row and meets no bank twice.
//
// Sums are float32 and in one order, taps then channels; where a product has too few tiles to fill a device the sum is
// split, and the parts are added in order by a second kernel. So the same bits in every run.
#include "ops/conv3d/cuda_pack.cuh"
#include "ops/conv3d/cuda_rows.cuh"
#include "ops/conv3d/cuda_tensor_gemm.cuh"

namespace voxelspark {

namespace {

constexpr int kProducers = 128, kConsumers = 256, kThreads = kProducers + kConsumers;
constexpr int kProducerBarrier = 1;
constexpr int kBuffers = 6;
constexpr int kPlanes = kSliceChannels / 8;
constexpr int kRowPitch = kTensorRows + 2;  // 2 rows by 4 planes, which 8 threads write, fall into different banks

struct TensorGemm {
  GatherRows rows;
  int source_channels, dest_channels, taps, slices, splits;
  int64_t dest_voxels;
  const uint16_t* x;
  const Vector16* weights;
  const float* bias;
  uint16_t* y;
  float* partial;  // [split][voxel][channel], or null
};

template <int kColumns>
struct Buffer {
  static constexpr int kRowBytes = kPlanes * kRowPitch * 16, kBytes = kRowBytes + kPlanes * kColumns * 16;
  static constexpr int kRing = kBuffers * kBytes, kTables = kRing + Ring<kBuffers>::kBytes;
  static constexpr int kAll = kTables + 2 * kTensorRows * 4;
};

// The part of the sum that a thread block adds up: steps [begin, end) over (tap, slice) of a class.
struct Part {
  DeviceLattice lattice;
  int split, begin, end, first_column;
  int64_t first_row;

  __device__ Part(const TensorGemm& g, int columns)
      : lattice(g.rows.family.lattice(blockIdx.z / g.splits)),
        split(static_cast<int>(blockIdx.z) % g.splits),
        first_column(static_cast<int>(blockIdx.y) * columns),
        first_row(static_cast<int64_t>(blockIdx.x) * kTensorRows) {
    const int64_t steps = static_cast<int64_t>(lattice.taps()) * g.slices;
    begin = static_cast<int>(steps * split / g.splits);
    end = static_cast<int>(steps * (split + 1) / g.splits);
  }
};

// A producer thread: looks up one row a tap for all, and copies the channels of one plane of every 32nd row.
template <int kColumns>
struct Producer {
  static constexpr int kOwnRows = kTensorRows * kPlanes / kProducers;
  const TensorGemm& g;
  const Part& part;
  SharedAddress shared;
  Voxel base;
  bool exists;
  int from[kOwnRows];

  __device__ Producer(const TensorGemm& g, const Part& part, SharedAddress shared) : g(g), part(part), shared(shared) {
    exists = g.rows.destination(part.lattice, part.first_row + threadIdx.x, base) >= 0;
  }
  // One table is written while slower threads still read the other.
  __device__ void look_up(int tap) {
    const DeviceLattice& l = part.lattice;
    const int row = tap / l.x.count, jz = row / l.y.count;
    const SharedAddress table = shared + Buffer<kColumns>::kTables + tap % 2 * kTensorRows * 4;
    const int64_t voxel =
        exists ? g.rows.source.find(l.source(base, jz, row - jz * l.y.count, tap - row * l.x.count)) : -1;
    store_shared(table + threadIdx.x * 4, static_cast<int>(voxel));
    named_barrier(kProducerBarrier, kProducers);
#pragma unroll
    for (int i = 0; i < kOwnRows; i++) from[i] = load_shared(table + own_row(i) * 4);
  }
  __device__ static int own_row(int i) { return static_cast<int>(threadIdx.x) / kPlanes + i * (kProducers / kPlanes); }
  __device__ void copy_rows(SharedAddress to, int slice) const {
    const int plane = threadIdx.x % kPlanes, channel = slice * kSliceChannels + plane * 8;
    const bool has_channel = channel < g.source_channels;
#pragma unroll
    for (int i = 0; i < kOwnRows; i++) {
      const bool valid = has_channel && from[i] >= 0;
      const int64_t at = valid ? static_cast<int64_t>(from[i]) * g.source_channels + channel : 0;
      copy_async(to + (plane * kRowPitch + own_row(i)) * 16, g.x + at, valid);
    }
  }
  __device__ void copy_weights(SharedAddress to, int tap, int slice) const {
    const DeviceLattice& l = part.lattice;
    const int row = tap / l.x.count, jz = row / l.y.count;
    const int64_t stored = l.weight_of(jz, row - jz * l.y.count, tap - row * l.x.count);
    const int64_t unit = (static_cast<int64_t>(blockIdx.y) * g.taps + stored) * g.slices + slice;
    const Vector16* weights = g.weights + unit * (kPlanes * kColumns);
#pragma unroll
    for (int i = threadIdx.x; i < kPlanes * kColumns; i += kProducers) copy_async(to + i * 16, weights + i, true);
  }
  __device__ void run(const Ring<kBuffers>& ring) {
    Turn<kBuffers> turn;
    for (int step = part.begin; step < part.end; step++, turn.next()) {
      const int tap = step / g.slices, slice = step - tap * g.slices;
      if (step == part.begin || slice == 0) look_up(tap);
      const SharedAddress buffer = shared + turn.buffer * Buffer<kColumns>::kBytes;
      turn.wait_empty(ring);
      copy_rows(buffer, slice);
      copy_weights(buffer + Buffer<kColumns>::kRowBytes, tap, slice);
      arrive_after_copies(ring.full(turn.buffer));
    }
  }
};

// A consumer warp: 32 rows by half of the columns, in fragments of 16 rows by 8 columns.
template <class T, int kColumns>
struct Consumer {
  static constexpr int kOwnColumns = kColumns / 2;
  float sums[2][kOwnColumns / 8][4] = {};
  int lane, row, column;  // of the warp's first

  __device__ Consumer() {
    const int warp = (static_cast<int>(threadIdx.x) - kProducers) / kWarpThreads;
    lane = static_cast<int>(threadIdx.x) % kWarpThreads;
    row = warp / 2 * 32;
    column = warp % 2 * kOwnColumns;
  }
  __device__ void add(SharedAddress rows) {
    const SharedAddress weights = rows + Buffer<kColumns>::kRowBytes;
#pragma unroll
    for (int k = 0; k < kSliceChannels / 16; k++) {
      uint32_t a[2][4];
#pragma unroll
      for (int m = 0; m < 2; m++)
        load_matrices(a[m], rows + ((k * 2 + lane / 16) * kRowPitch + row + m * 16 + lane % 16) * 16);
#pragma unroll
      for (int n = 0; n < kOwnColumns / 16; n++) {
        uint32_t b[4];
        const int line = column + n * 16 + lane / 16 * 8 + lane % 8;
        load_matrices(b, weights + ((k * 2 + lane / 8 % 2) * kColumns + line) * 16);
#pragma unroll
        for (int m = 0; m < 2; m++) {
          multiply<T>(sums[m][2 * n], a[m], b[0], b[1]);
          multiply<T>(sums[m][2 * n + 1], a[m], b[2], b[3]);
        }
      }
    }
  }
  __device__ void run(const TensorGemm& g, const Part& part, const Ring<kBuffers>& ring, SharedAddress shared) {
    Turn<kBuffers> turn;
    for (int step = part.begin; step < part.end; step++, turn.next()) {
      turn.wait_full(ring);
      add(shared + turn.buffer * Buffer<kColumns>::kBytes);
      release_buffer(ring.empty(turn.buffer));
    }
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
      for (int half = 0; half < 2; half++) {
        Voxel base;
        const int64_t own = part.first_row + row + m * 16 + half * 8 + lane / 4;
        const int64_t voxel = g.rows.destination(part.lattice, own, base);
        if (voxel >= 0) write(g, part, voxel, sums[m], half);
      }
  }
  __device__ void write(const TensorGemm& g, const Part& part, int64_t voxel, const float (&line)[kOwnColumns / 8][4],
                        int half) const {
#pragma unroll
    for (int n = 0; n < kOwnColumns / 8; n++) {
      const int c = part.first_column + column + n * 8 + lane % 4 * 2;
      if (c >= g.dest_channels) continue;
      const float low = line[n][half * 2], high = line[n][half * 2 + 1];
      if (g.partial) put(g.partial + (part.split * g.dest_voxels + voxel) * g.dest_channels, c, g, low, high);
      else put(g.y + voxel * g.dest_channels, c, g, low, high);
    }
  }
  __device__ static void put(float* to, int c, const TensorGemm& g, float low, float high) {
    to[c] = low;
    if (c + 1 < g.dest_channels) to[c + 1] = high;
  }
  __device__ static void put(uint16_t* to, int c, const TensorGemm& g, float low, float high) {
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
};

template <class T, int kColumns>
__global__ void __launch_bounds__(kThreads, 1) tensor_gemm_kernel(TensorGemm g) {
  const SharedAddress shared = dynamic_shared();
  const Ring<kBuffers> ring{shared + Buffer<kColumns>::kRing};
  if (threadIdx.x == 0) ring.init(kProducers, kConsumers / kWarpThreads);
  __syncthreads();
  const Part part(g, kColumns);
  if (threadIdx.x < kProducers) Producer<kColumns>(g, part, shared).run(ring);
  else Consumer<T, kColumns>().run(g, part, ring, shared);
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

template <class T, int kColumns>
void launch(const TensorGemm& g, const TensorGemmPlan& p) {
  const dim3 grid(static_cast<unsigned>((p.rows + kTensorRows - 1) / kTensorRows),
                  static_cast<unsigned>(p.column_tiles), static_cast<unsigned>(p.classes * p.splits));
  LAUNCH_KERNEL_SHARED((tensor_gemm_kernel<T, kColumns>), grid, kThreads, Buffer<kColumns>::kAll, g);
  check_cuda(cudaGetLastError(), "a convolution");
}

PackWeights pack_of(const TensorGemmPlan& p, bool adjoint, const Tensor& weight, const TensorGemm& g) {
  const int64_t stored = weight.layout.channels(), filter = p.taps * stored;  // [K][tap][stored]
  return {weight.f32(),
          stored,
          adjoint ? filter : 1,
          adjoint ? 1 : filter,
          g.source_channels,
          g.dest_channels,
          p.taps,
          p.slices,
          p.columns,
          false,
          false};
}

}  // namespace

GatherRows gather_rows(const ConvGeometry& g, bool adjoint, const Layout& source, const Layout& dest) {
  const Int3 edge = dest.edge(), lattice_edge = adjoint ? (edge + g.stride - Int3{1, 1, 1}) / g.stride : edge;
  return {{extent(g.kernel), extent(g.stride), extent(g.padding), adjoint},
          view_of(source),
          view_of(dest),
          extent(lattice_edge),
          dest.blocks() * lattice_edge.product()};
}

template <class T>
void tensor_gemm_cuda(const ConvGeometry& g, bool adjoint, const Tensor& source, const Tensor& weight,
                      const float* bias, const Tensor& dest, void* workspace) {
  const TensorGemmPlan p = TensorGemmPlan::of(g, adjoint, source.layout, dest.layout);
  if (p.rows == 0) return;
  char* memory = static_cast<char*>(workspace);
  const int k = static_cast<int>(dest.layout.channels());
  const TensorGemm gemm{gather_rows(g, adjoint, source.layout, dest.layout),
                        static_cast<int>(source.layout.channels()),
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
  pack_weights<T>(pack_of(p, adjoint, weight, gemm), memory);
  if (p.columns == 128) launch<T, 128>(gemm, p);
  else if (p.columns == 64) launch<T, 64>(gemm, p);
  else launch<T, 32>(gemm, p);
  const int64_t elements = gemm.dest_voxels * k;
  if (p.splits > 1)
    launch_elementwise(elements, AddParts<T>{gemm.partial, bias, elements, p.splits, k, gemm.y}, "a convolution");
}

template void tensor_gemm_cuda<__nv_bfloat16>(const ConvGeometry&, bool, const Tensor&, const Tensor&, const float*,
                                              const Tensor&, void*);
template void tensor_gemm_cuda<__half>(const ConvGeometry&, bool, const Tensor&, const Tensor&, const float*,
                                       const Tensor&, void*);

}  // namespace voxelspark
