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

template <class S>
struct Producer : GatherProducer<S> {
  using GatherProducer<S>::GatherProducer;

  __device__ void copy_weights(SharedAddress to, int tap, int slice) const {
    const Vector16* weights = this->weights_of(tap, slice);
#pragma unroll
    for (int i = threadIdx.x; i < S::kWeightBytes / 16; i += kGatherProducers)
      copy_async(to + i * 16, weights + i, true);
  }
  __device__ void run(const Ring<S::kBuffers>& ring) {
    Turn<S::kBuffers> turn;
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
  __device__ void run_pending(const Ring<S::kBuffers>& ring) {
    using Place = Turn<S::kBuffers>;
    const auto copy = [&](const Place& turn, int tap, int slice) {
      copy_weights(this->shared + turn.buffer * S::kBytes + S::kRowBytes, tap, slice);
    };
    const auto announce = [&](const Place& turn) {
      barrier_arrive(ring.full(turn.buffer));
      arrive_after_copies(ring.full(turn.buffer));
    };
    GatherProducer<S>::template run_pending<T>(ring, copy, announce);
  }
};

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
  __device__ void run(const GatherGemm& g, const GatherPart& part, const Ring<S::kBuffers>& ring,
                      SharedAddress shared) {
    Turn<S::kBuffers> turn;
    for (int step = part.begin; step < part.end; step++, turn.next()) {
      turn.wait_full(ring);
      add(shared + turn.buffer * S::kBytes);
      release_buffer(ring.empty(turn.buffer));
    }
    if (g.store.moments.partial && !g.partial) leave_moments(g, part, shared);
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
      for (int half = 0; half < 2; half++)
        write_sums<T, kOwnColumns>(g, part, row + m * 16 + half * 8 + lane / 4, column, &sums[m][0][half * 2]);
  }
  __device__ void leave_moments(const GatherGemm& g, const GatherPart& part, SharedAddress shared) const {
    const FragmentLines<kTensorRows / 32, S::kColumns> lines{shared, row / 32, column, kGatherConsumerBarrier,
                                                             kGatherConsumers};
    gather_moments<4, kOwnColumns / 4>(g, part, lines, row + lane / 4,
                                       [&](int r, int c) { return sums[r / 2][c / 2][r % 2 * 2 + c % 2]; });
  }
};

template <class T, class S>
__global__ void __launch_bounds__(kGatherThreads, 1) tensor_gemm_kernel(GatherGemm g) {
  const SharedAddress shared = dynamic_shared();
  const Ring<S::kBuffers> ring{shared + S::kRing};
  if (threadIdx.x == 0) ring.init(kGatherProducers * (g.x.norm ? 2 : 1), kGatherConsumers / kWarpThreads);
  __syncthreads();
  const GatherPart part(g, S::kColumns, S::kSlices);
  if (threadIdx.x < kGatherProducers) {
    Producer<S> producer(g, part, shared);
    if (g.x.norm) producer.template run_pending<T>(ring);
    else producer.run(ring);
  } else Consumer<T, S>().run(g, part, ring, shared);
}

template <class T, int kColumns>
void launch(const GatherGemm& g, const TensorGemmPlan& p) {
  using S = GatherShape<kColumns, 1, 6>;
  LAUNCH_KERNEL_SHARED((tensor_gemm_kernel<T, S>), gather_grid(p), kGatherThreads, S::kAll, g);
  check_cuda(cudaGetLastError(), "a convolution");
}

}  // namespace

template <class T>
void tensor_gemm_cuda(const ConvGeometry& g, bool adjoint, const Tensor& source, const Tensor& weight,
                      const ConvStore& store, const Tensor& dest, void* workspace) {
  const TensorGemmPlan p = TensorGemmPlan::of(g, adjoint, source.layout, dest.layout);
  if (p.rows == 0) return;
  const GatherGemm gemm = prepare_gather_gemm<T>(p, g, adjoint, source, weight, store, dest, workspace);
  if (p.columns == 128) launch<T, 128>(gemm, p);
  else if (p.columns == 64) launch<T, 64>(gemm, p);
  else launch<T, 32>(gemm, p);
  add_parts<T>(gemm);
}

template void tensor_gemm_cuda<__nv_bfloat16>(const ConvGeometry&, bool, const Tensor&, const Tensor&, const ConvStore&,
                                              const Tensor&, void*);
template void tensor_gemm_cuda<__half>(const ConvGeometry&, bool, const Tensor&, const Tensor&, const ConvStore&,
                                       const Tensor&, void*);

}  // namespace voxelspark
