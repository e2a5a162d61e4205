// Gather GEMM on tensor cores: 128 destination voxels by 32, 64 or 128 destination channels a thread block; a step of
// the sum is one tap of 32 source channels. Any kernel, stride, block edge and mask, and source channels in multiples
// of 8.
//
// Four warps look voxels up and copy their channels and the weights into a ring of buffers in the background; eight
// warps multiply, 32 rows by half of the columns each.
//
// Sums are float32 and in one order, taps then channels; where a product has too few tiles to fill a device the sum is
// split, and the parts are added in order by a second kernel. So the same bits in every run.
#include "ops/conv3d/cuda_gather_store.cuh"
#include "ops/conv3d/cuda_tensor_gemm.cuh"

namespace voxelspark {

namespace {

// Beside the buffers: lines of sums for the statistics, and of each consumer warp the voxels that its rows are stored
// at.
template <class S>
struct TensorShape : S {
  using Lines = FragmentLines<kTensorRows / 32, S::kColumns>;
  static constexpr int kLines = S::kAll, kVoxels = kLines + Lines::kBytes, kAll = kVoxels + kGatherConsumers * 4;
};

template <class S>
struct Producer : GatherProducer<S> {
  using GatherProducer<S>::GatherProducer;

  __device__ void copy_weights(SharedAddress to, int tap, int slice) const {
    const Vector16* weights = this->weights_of(tap, slice);
#pragma unroll
    for (int i = threadIdx.x; i < S::kWeightBytes / 16; i += kGatherProducers)
      copy_async(to + i * 16, weights + i, true);
  }
  __device__ void run(const Ring<S::kBuffers>& ring, Turn<S::kBuffers>& turn) {
#pragma unroll 1
    for (int step = this->part.begin; step < this->part.end; step++, turn.next()) {
      const int slice = this->begin(step);
      const SharedAddress buffer = this->shared + turn.buffer * S::kBytes;
      turn.wait_empty(ring);
      this->copy_rows(buffer, slice);
      copy_weights(buffer + S::kRowBytes, step / this->g.slices, slice);
      arrive_after_copies(ring.full(turn.buffer));
    }
  }
  // Every thread arrives twice: when it has stored its rows, and when its copies of weights are done.
  template <class T>
  __device__ void run_pending(const Ring<S::kBuffers>& ring, Turn<S::kBuffers>& turn) {
    using Place = Turn<S::kBuffers>;
    const auto copy = [&](const Place& turn, int tap, int slice) {
      copy_weights(this->shared + turn.buffer * S::kBytes + S::kRowBytes, tap, slice);
    };
    const auto announce = [&](const Place& turn) {
      barrier_arrive(ring.full(turn.buffer));
      arrive_after_copies(ring.full(turn.buffer));
    };
    GatherProducer<S>::template run_pending<T>(ring, turn, copy, announce);
  }
};

// The item of a number: classes and splits of a tile of rows follow each other, for they read the same rows.
__device__ inline GatherItem item_of(const GatherGemm& g, int number) {
  const int column = number / g.parts, row = column / g.column_tiles;
  return {row, column - row * g.column_tiles, number - column * g.parts};
}

template <class T, class S>
__device__ void produce(const GatherGemm& g, const Ring<S::kBuffers>& ring, SharedAddress shared) {
  Turn<S::kBuffers> turn;
#pragma unroll 1
  for (int number = blockIdx.x; number < g.items; number += gridDim.x) {
    const GatherPart part(g, S::kColumns, S::kSlices, item_of(g, number));
    Producer<S> producer(g, part, shared);
    named_barrier(kGatherBarrier, kGatherProducers);  // nobody reads the last item's tables any more
    if (g.x.norm) producer.template run_pending<T>(ring, turn);
    else producer.run(ring, turn);
  }
}

// A consumer warp: 32 rows by half of the columns, in fragments of 16 rows by 8 columns.
template <class T, class S>
struct Consumer {
  static constexpr int kOwnColumns = S::kColumns / 2;
  float sums[2][kOwnColumns / 8][4] = {};
  int lane, row, column;  // of the warp's first

  __device__ Consumer() {
    const int warp = (static_cast<int>(threadIdx.x) - kGatherProducers) / kWarpThreads;
    lane = static_cast<int>(threadIdx.x) % kWarpThreads;
    row = warp / 2 * 32;
    column = warp % 2 * kOwnColumns;
  }
  __device__ void add(SharedAddress rows) {
    const SharedAddress weights = rows + S::kRowBytes;
#pragma unroll
    for (int k = 0; k < kSliceChannels / 16; k++) {
      uint32_t a[2][4];
#pragma unroll
      for (int m = 0; m < 2; m++)
        load_matrices(a[m], rows + ((k * 2 + lane / 16) * S::kPitch + row + m * 16 + lane % 16) * 16);
#pragma unroll
      for (int n = 0; n < kOwnColumns / 16; n++) {
        uint32_t b[4];
        const int line = column + n * 16 + lane / 16 * 8 + lane % 8;
        load_matrices(b, weights + ((k * 2 + lane / 8 % 2) * S::kColumns + line) * 16);
#pragma unroll
        for (int m = 0; m < 2; m++) {
          multiply<T>(sums[m][2 * n], a[m], b[0], b[1]);
          multiply<T>(sums[m][2 * n + 1], a[m], b[2], b[3]);
        }
      }
    }
  }
  __device__ void clear() {
#pragma unroll
    for (auto& m : sums)
#pragma unroll
      for (auto& n : m)
#pragma unroll
        for (float& sum : n) sum = 0;
  }
  // Where the lane's row is stored, for the warp: looked up once, while the first step is on its way.
  __device__ void look_up(const GatherGemm& g, const GatherPart& part, SharedAddress voxels) const {
    Voxel base;
    const int64_t voxel = g.rows.destination(part.lattice, part.first_row + row + lane, base);
    sync_warp();  // nobody reads those of the last tile any more
    store_shared(voxels + lane * 4, static_cast<int>(voxel));
    sync_warp();
  }
  __device__ void run(const GatherGemm& g, const Ring<S::kBuffers>& ring, SharedAddress shared) {
    const SharedAddress voxels = shared + S::kVoxels + (threadIdx.x - kGatherProducers) / kWarpThreads * 128;
    Turn<S::kBuffers> turn;
#pragma unroll 1
    for (int number = blockIdx.x; number < g.items; number += gridDim.x) {
      const GatherPart part(g, S::kColumns, S::kSlices, item_of(g, number));
      clear();
      look_up(g, part, voxels);
#pragma unroll 1
      for (int step = part.begin; step < part.end; step++, turn.next()) {
        turn.wait_full(ring);
        add(shared + turn.buffer * S::kBytes);
        release_buffer(ring.empty(turn.buffer));
      }
      finish(g, part, voxels, shared);
    }
  }
  __device__ void finish(const GatherGemm& g, const GatherPart& part, SharedAddress voxels,
                         SharedAddress shared) const {
    if (g.store.moments.partial && !g.partial) {
      const typename S::Lines lines{shared + S::kLines, row / 32, column, kGatherConsumerBarrier, kGatherConsumers};
      gather_moments<4, kOwnColumns / 4>(g, part, lines, part.first_column, row + lane / 4,
                                         [&](int r, int c) { return sums[r / 2][c / 2][r % 2 * 2 + c % 2]; });
    }
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
      for (int half = 0; half < 2; half++)
        write_sums<T, kOwnColumns>(g, part.split, load_shared(voxels + (m * 16 + half * 8 + lane / 4) * 4),
                                   part.first_column + column, &sums[m][0][half * 2]);
  }
};

template <class T, class S>
__global__ void __launch_bounds__(kGatherThreads, 1) tensor_gemm_kernel(GatherGemm g) {
  const SharedAddress shared = dynamic_shared();
  const Ring<S::kBuffers> ring{shared + S::kRing};
  if (threadIdx.x == 0) ring.init(kGatherProducers * (g.x.norm ? 2 : 1), kGatherConsumers / kWarpThreads);
  __syncthreads();
  if (threadIdx.x < kGatherProducers) produce<T, S>(g, ring, shared);
  else Consumer<T, S>().run(g, ring, shared);
}

// Thread blocks stay for many items, so that the next item's rows are copied while this one's sums are stored. Buffers:
// as many as 99 kB of shared memory hold, the least of any device.
template <class T, int kColumns>
void launch(const GatherGemm& g) {
  using S = TensorShape<GatherShape<kColumns, 1, kColumns == 128 ? 5 : 6>>;
  static_assert(S::kAll <= 99 * 1024, "or some devices refuse the launch");
  int processors = 0;
  check_cuda(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, 0), "a look at the device");
  const auto blocks = static_cast<unsigned>(std::min<int64_t>(g.items, processors));
  LAUNCH_KERNEL_SHARED((tensor_gemm_kernel<T, S>), blocks, kGatherThreads, S::kAll, g);
  check_cuda(cudaGetLastError(), "a convolution");
}

}  // namespace

template <class T>
void tensor_gemm_cuda(const ConvGeometry& g, bool adjoint, const Tensor& source, const Tensor& weight,
                      const ConvStore& store, const Tensor& dest, void* workspace) {
  const TensorGemmPlan p = TensorGemmPlan::of(g, adjoint, source.layout, dest.layout);
  if (p.rows == 0) return;
  const GatherGemm gemm = prepare_gather_gemm<T>(p, g, adjoint, source, weight, store, dest, workspace);
  if (p.columns == 128) launch<T, 128>(gemm);
  else if (p.columns == 64) launch<T, 64>(gemm);
  else launch<T, 32>(gemm);
  add_parts<T>(gemm);
}

template void tensor_gemm_cuda<__nv_bfloat16>(const ConvGeometry&, bool, const Tensor&, const Tensor&, const ConvStore&,
                                              const Tensor&, void*);
template void tensor_gemm_cuda<__half>(const ConvGeometry&, bool, const Tensor&, const Tensor&, const ConvStore&,
                                       const Tensor&, void*);

}  // namespace voxelspark
