// Weight gradient by gathered rows on tensor cores: gw[k][tap][c] = sum over voxels of gy[voxel][k] * x[source(voxel,
// tap)][c] for 64 x 64 channels and one tap a thread block. Any kernel, stride, block edge and mask; channels in
// multiples of 8.
//
// Four warps look voxels up and copy 64 of them a step into a ring of buffers in the background, four warps multiply
// 32 x 32 channels each. The voxels of gy are cut into splits of fixed size, whose sums a second kernel adds in order.
#include "device/cuda_tensor.cuh"
#include "ops/conv3d/cuda_rows.cuh"
#include "ops/conv3d/cuda_source.cuh"
#include "ops/conv3d/cuda_tensor_weight.cuh"
#include "ops/reduce/cuda_splits.cuh"

namespace voxelspark {

namespace {

constexpr int kProducers = 128, kConsumers = 128, kThreads = kProducers + kConsumers;
constexpr int kProducerBarrier = 1;
constexpr int kBuffers = 5;
constexpr int kTile = TensorWeightPlan::kTile, kStep = TensorWeightPlan::kStep;
constexpr int kPlanes = kTile / 8, kPitch = kStep + 1;    // odd: the 8 planes that 8 threads write fall into 8 banks
constexpr int kOwnVoxels = kStep * kPlanes / kProducers;  // of a producer, in a step
constexpr int kOperandBytes = kPlanes * kPitch * 16, kBufferBytes = 2 * kOperandBytes;
constexpr int kRing = kBuffers * kBufferBytes, kTables = kRing + Ring<kBuffers>::kBytes;
constexpr int kLookups = 2 * kStep;  // a voxel of two steps for each producer
constexpr int kShared = kTables + 2 * kLookups * 4;
static_assert(kLookups == kProducers, "or voxels are left out");

struct TensorWeight {
  LatticeFamily family;
  BlockView source, dest;
  int64_t voxels, split;  // of gy; of a split
  int source_channels, dest_channels, source_tiles, taps;
  ChannelSource<uint16_t> x, gy;
  float* partial;  // [split][k][tap][c]

  __device__ bool pending() const { return x.norm || gy.norm; }
  __device__ int first_source() const { return static_cast<int>(blockIdx.x) % source_tiles * kTile; }
  __device__ int first_dest() const { return static_cast<int>(blockIdx.x) / source_tiles * kTile; }
  __device__ int tap() const { return static_cast<int>(blockIdx.y); }
  __device__ int64_t begin() const { return blockIdx.z * split; }
  __device__ int64_t end() const { return begin() + split < voxels ? begin() + split : voxels; }
};

struct Producer {
  const TensorWeight& w;
  SharedAddress shared;
  DeviceLattice lattice;
  int tap_z, tap_y, tap_x;

  __device__ Producer(const TensorWeight& w, SharedAddress shared)
      : w(w), shared(shared), lattice(w.family.lattice(0)) {
    const int row = w.tap() / lattice.x.count;
    tap_x = w.tap() - row * lattice.x.count;
    tap_z = row / lattice.y.count;
    tap_y = row - tap_z * lattice.y.count;
  }
  // The source of each voxel of two steps, or -1; one table is written while slower threads still read the other.
  __device__ SharedAddress look_up(int64_t first, int step) const {
    const SharedAddress table = shared + kTables + step / 2 % 2 * kLookups * 4;
    if (step % 2) return table + kStep * 4;
    const int64_t voxel = first + threadIdx.x;
    const bool exists = voxel < w.end();
    const Voxel base = lattice.base_of(w.dest.position(exists ? voxel : w.begin()));
    const int64_t from = exists ? w.source.find(lattice.source(base, tap_z, tap_y, tap_x)) : -1;
    store_shared(table + threadIdx.x * 4, static_cast<int>(from));
    named_barrier(kProducerBarrier, kProducers);
    return table;
  }
  __device__ int source_channel() const { return w.first_source() + plane() * 8; }
  __device__ int dest_channel() const { return w.first_dest() + plane() * 8; }
  __device__ static int plane() { return static_cast<int>(threadIdx.x) % kPlanes; }
  __device__ static int own_voxel(int i) {
    return static_cast<int>(threadIdx.x) / kPlanes + i * (kProducers / kPlanes);
  }

  // A voxel whose source is masked or outside adds nothing, so its gradient is not read. What is pending is left out.
  __device__ void copy(SharedAddress buffer, SharedAddress table, int64_t first) const {
    const int c = source_channel(), k = dest_channel();
    const bool copies_x = c < w.source_channels, copies_gy = k < w.dest_channels;
    const ChannelRun<const uint16_t> x = w.x.from(copies_x ? c : 0), gy = w.gy.from(copies_gy ? k : 0);
    for (int i = 0; i < kOwnVoxels; i++) {
      const int v = own_voxel(i);
      const int64_t from = load_shared(table + v * 4);
      const bool has_x = from >= 0 && copies_x, has_gy = from >= 0 && copies_gy;
      const SharedAddress to = buffer + (plane() * kPitch + v) * 16;
      if (!w.gy.norm) copy_async(to, gy.of(has_gy ? first + v : 0), has_gy);
      if (!w.x.norm) copy_async(to + kOperandBytes, x.of(has_x ? from : 0), has_x);
    }
  }
  // The map on which a normalisation is pending, through registers; voxel(v) is what it holds of voxel v of the step.
  template <class T, class Find>
  __device__ void settle(SharedAddress to, const ChannelSource<uint16_t>& map, int channel, int64_t first,
                         const Find& voxel) const {
    Vector16 held[kOwnVoxels];
    uint32_t valid = 0;
#pragma unroll
    for (int i = 0; i < kOwnVoxels; i++) {
      const int64_t from = channel < map.channels ? voxel(own_voxel(i)) : -1;
      held[i] = {};
      if (from < 0) continue;
      held[i] = load_global(map.first + from * map.channels + channel);
      valid |= 1u << i;
    }
    ChannelNorm<8> norm;
    int sample = -1;
#pragma unroll
    for (int i = 0; i < kOwnVoxels; i++) {
      const int v = own_voxel(i);
      if (valid >> i & 1) {
        const int own = map.norm.stride ? w.dest.sample_of(first + v) : 0;
        if (own != sample) norm.read(map.norm, sample = own, channel);
        held[i] = settled<T>(held[i], norm);
      }
      store_shared(to + (plane() * kPitch + v) * 16, held[i]);
    }
  }
  template <class T>
  __device__ void settle_pending(SharedAddress buffer, SharedAddress table, int64_t first) const {
    const auto source = [&](int v) -> int64_t { return load_shared(table + v * 4); };
    const auto dest = [&](int v) -> int64_t { return source(v) < 0 ? -1 : first + v; };
    if (w.x.norm) settle<T>(buffer + kOperandBytes, w.x, source_channel(), first, source);
    if (w.gy.norm) settle<T>(buffer, w.gy, dest_channel(), first, dest);
  }
  template <class T>
  __device__ void run(const Ring<kBuffers>& ring) const {
    Turn<kBuffers> turn;
    int step = 0;
    for (int64_t first = w.begin(); first < w.end(); first += kStep, step++, turn.next()) {
      const SharedAddress table = look_up(first, step);
      turn.wait_empty(ring);
      copy(shared + turn.buffer * kBufferBytes, table, first);
      if (w.pending()) {  // then every thread arrives twice: when it has stored, and when its copies are done
        settle_pending<T>(shared + turn.buffer * kBufferBytes, table, first);
        barrier_arrive(ring.full(turn.buffer));
      }
      arrive_after_copies(ring.full(turn.buffer));
    }
  }
};

template <class T>
struct Consumer {
  float sums[2][4][4] = {};  // [16 of gy's channels][8 of x's]
  int lane, row, column;     // first channels of the warp

  __device__ Consumer() {
    const int warp = (static_cast<int>(threadIdx.x) - kProducers) / kWarpThreads;
    lane = static_cast<int>(threadIdx.x) % kWarpThreads;
    row = warp / 2 * 32;
    column = warp % 2 * 32;
  }
  __device__ void add(SharedAddress gradient) {
    const SharedAddress source = gradient + kOperandBytes;
#pragma unroll
    for (int k = 0; k < kStep; k += 16) {
      uint32_t a[2][4], b[2][4];
#pragma unroll
      for (int h = 0; h < 2; h++) {
        const int a_plane = row / 8 + h * 2 + lane / 8 % 2, a_voxel = k + lane / 16 * 8 + lane % 8;
        const int b_plane = column / 8 + h * 2 + lane / 16, b_voxel = k + lane / 8 % 2 * 8 + lane % 8;
        load_matrices_transposed(a[h], gradient + (a_plane * kPitch + a_voxel) * 16);
        load_matrices_transposed(b[h], source + (b_plane * kPitch + b_voxel) * 16);
      }
#pragma unroll
      for (int h = 0; h < 2; h++)
#pragma unroll
        for (int n = 0; n < 4; n++) multiply<T>(sums[h][n], a[h], b[n / 2][n % 2 * 2], b[n / 2][n % 2 * 2 + 1]);
    }
  }
  __device__ void run(const TensorWeight& w, SharedAddress shared, const Ring<kBuffers>& ring) {
    Turn<kBuffers> turn;
    for (int64_t first = w.begin(); first < w.end(); first += kStep, turn.next()) {
      turn.wait_full(ring);
      add(shared + turn.buffer * kBufferBytes);
      release_buffer(ring.empty(turn.buffer));
    }
    float* to = w.partial + static_cast<int64_t>(blockIdx.z) * w.dest_channels * w.taps * w.source_channels;
#pragma unroll
    for (int h = 0; h < 2; h++)
#pragma unroll
      for (int n = 0; n < 4; n++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
          const int64_t k = w.first_dest() + row + h * 16 + lane / 4 + i / 2 * 8;
          const int c = w.first_source() + column + n * 8 + lane % 4 * 2 + i % 2;
          if (k < w.dest_channels && c < w.source_channels)
            to[(k * w.taps + w.tap()) * w.source_channels + c] = sums[h][n][i];
        }
  }
};

template <class T>
__global__ void __launch_bounds__(kThreads, 2) tensor_weight_kernel(TensorWeight w) {
  const SharedAddress shared = dynamic_shared();
  const Ring<kBuffers> ring{shared + kRing};
  if (threadIdx.x == 0) ring.init(kProducers * (w.pending() ? 2 : 1), kConsumers / kWarpThreads);
  __syncthreads();
  if (threadIdx.x < kProducers) Producer(w, shared).run<T>(ring);
  else Consumer<T>().run(w, shared, ring);
}

}  // namespace

template <class T>
void tensor_weight_cuda(const ConvGeometry& g, const Tensor& x, const Tensor& gy, const Tensor& gw, void* workspace) {
  const TensorWeightPlan p = TensorWeightPlan::of(g, x.layout, gy.layout);
  const bool split = p.splits > 1;
  const TensorWeight w{{extent(g.kernel), extent(g.stride), extent(g.padding), false},
                       view_of(x.layout),
                       view_of(gy.layout),
                       gy.layout.voxels(),
                       p.voxels,
                       static_cast<int>(x.layout.channels()),
                       static_cast<int>(gy.layout.channels()),
                       p.source_tiles,
                       static_cast<int>(p.taps),
                       channel_source<uint16_t>(x),
                       channel_source<uint16_t>(gy),
                       split ? static_cast<float*>(workspace) : gw.f32()};
  const dim3 grid(static_cast<unsigned>(p.source_tiles * p.dest_tiles), static_cast<unsigned>(p.taps),
                  static_cast<unsigned>(p.splits));
  LAUNCH_KERNEL_SHARED(tensor_weight_kernel<T>, grid, kThreads, kShared, w);
  check_cuda(cudaGetLastError(), "a weight gradient");
  const int64_t elements = gw.layout.shape.elements();
  if (split) add_splits(w.partial, 1, p.splits, elements, gw.f32(), "a weight gradient");
}

template void tensor_weight_cuda<__nv_bfloat16>(const ConvGeometry&, const Tensor&, const Tensor&, const Tensor&,
                                                void*);
template void tensor_weight_cuda<__half>(const ConvGeometry&, const Tensor&, const Tensor&, const Tensor&, void*);

}  // namespace voxelspark
