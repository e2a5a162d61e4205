// The gather GEMM by warpgroups (wgmma, sm_90a): cuda_tensor_gemm.cu with wider tiles, 128 destination voxels by 64,
// 128, 160 or 256 destination channels, and 64 source channels a step where there are as many.
//
// Rows are copied in the background, several steps ahead: a step is announced when later ones are on their way. Weights
// come by one bulk copy a step. A warpgroup multiplies 64 rows by all columns, both operands in shared memory, and
// keeps the products of one step running while it waits for the next.
#include "device/cuda_wgmma.cuh"
#include "ops/conv3d/cuda_gather_store.cuh"
#include "ops/conv3d/cuda_tensor_gemm.cuh"

namespace voxelspark {

namespace {

#if VS_HAS_WGMMA
constexpr int kProducerRegisters = 120, kConsumerRegisters = 192;  // producers hold rows on which a norm is pending
static_assert(can_hand_over(kProducerRegisters, kConsumerRegisters), "or consumers wait forever");
constexpr int kLead = 2;  // steps that are being copied while an earlier one is waited for

template <class S>
struct Producer : GatherProducer<S> {
  using GatherProducer<S>::GatherProducer;
  static_assert(S::kBuffers >= kLead + 2, "or producers and consumers wait for each other");

  __device__ void copy_weights(const Ring<S::kBuffers>& ring, const Turn<S::kBuffers>& turn, int tap, int slice) {
    const SharedAddress to = this->shared + turn.buffer * S::kBytes + S::kRowBytes;
    if (threadIdx.x == 0) copy_bulk(to, this->weights_of(tap, slice), S::kWeightBytes, ring.full(turn.buffer));
  }
  __device__ void copy(const Ring<S::kBuffers>& ring, const Turn<S::kBuffers>& turn, int step) {
    const int slice = this->begin(step);
    turn.wait_empty(ring);
    copy_weights(ring, turn, step / (this->g.slices / S::kSlices), slice);
    this->copy_rows(this->shared + turn.buffer * S::kBytes, slice);
  }
  __device__ void run(const Ring<S::kBuffers>& ring) {
    const int begin = this->part.begin, end = this->part.end;
    Turn<S::kBuffers> turn, announced;
#pragma unroll 1
    for (int step = begin; step < end + kLead; step++) {
      if (step < end) {
        copy(ring, turn, step);
        turn.next();
      }
      commit_copies();  // an empty group beyond the end, so that they count the same
      if (step - kLead < begin) continue;
      wait_for_copies<kLead>();
      barrier_arrive(ring.full(announced.buffer));
      announced.next();
    }
  }
  template <class T>
  __device__ void run_pending(const Ring<S::kBuffers>& ring) {
    using Place = Turn<S::kBuffers>;
    const auto copy = [&](const Place& turn, int tap, int slice) { copy_weights(ring, turn, tap, slice); };
    const auto announce = [&](const Place& turn) {
      wait_for_copies<0>();  // there are none; but what was stored becomes visible to the products
      barrier_arrive(ring.full(turn.buffer));
    };
    Turn<S::kBuffers> turn;
    GatherProducer<S>::template run_pending<T>(ring, turn, copy, announce);
  }
};

template <class T, class S>
struct Consumer {
  float sums[S::kColumns / 2] = {};

  // Units of a descriptor are 16 bytes: a row of a plane, a column of a plane of weights.
  __device__ void add(SharedAddress buffer, int row) {
    constexpr uint64_t kRows = matrix_layout(8 * 16, S::kPitch * 16),
                       kWeights = matrix_layout(8 * 16, S::kColumns * 16);
    const uint64_t a = matrix_at(kRows, buffer + row * 16), b = matrix_at(kWeights, buffer + S::kRowBytes);
    begin_products();
#pragma unroll
    for (uint32_t k = 0; k < S::kPlanes; k += 2)
      multiply_group<T, S::kColumns>(sums, a + k * S::kPitch, b + k * S::kColumns);
    commit_products();
  }
  __device__ void run(const GatherGemm& g, const GatherPart& part, const Ring<S::kBuffers>& ring,
                      SharedAddress shared) {
    const int own = static_cast<int>(threadIdx.x) - kGatherProducers, row = own / kGroupThreads * 64;
    Turn<S::kBuffers> turn, used;
    pin_sums(sums);
#pragma unroll 1
    for (int step = part.begin; step < part.end; step++, turn.next()) {
      turn.wait_full(ring);
      add(shared + turn.buffer * S::kBytes, row);
      wait_products<1>();
      if (step == part.begin) continue;
      release_buffer(ring.empty(used.buffer));
      used.next();
    }
    wait_products<0>();
    pin_sums(sums);
    const int first = row + own % kGroupThreads / kWarpThreads * 16 + own % kWarpThreads / 4;
    if (g.store.moments.partial && !g.partial) leave_moments(g, part, first, shared);
#pragma unroll
    for (int half = 0; half < 2; half++) {
      Voxel base;
      const int64_t voxel = g.rows.destination(part.lattice, part.first_row + first + half * 8, base);
      write_sums<T, S::kColumns>(g, part.split, voxel, part.first_column, sums + half * 2);
    }
  }
  // Some columns after the other: their means take registers. The lines lie in the buffers: all steps are done.
  __device__ void leave_moments(const GatherGemm& g, const GatherPart& part, int first, SharedAddress shared) const {
    constexpr int kSome = 32;
#pragma unroll
    for (int column = 0; column < S::kColumns; column += kSome) {
      const FragmentLines<kTensorRows / 16, S::kColumns> lines{shared, first / 16, column, kGatherConsumerBarrier,
                                                               kGatherConsumers};
      gather_moments<2, kSome / 4>(g, part, lines, part.first_column, first,
                                   [&](int r, int c) { return sums[column / 2 + c / 2 * 4 + r * 2 + c % 2]; });
    }
  }
};
#endif

template <class T, class S>
__global__ void __launch_bounds__(kGatherThreads, 1) group_gemm_kernel(GatherGemm g) {
#if VS_HAS_WGMMA
  const SharedAddress shared = dynamic_shared();
  const Ring<S::kBuffers> ring{shared + S::kRing};
  if (threadIdx.x == 0) {
    ring.init(kGatherProducers + 1, kGatherConsumers / kWarpThreads);  // the bulk copy arrives, too
    fence_barriers();
  }
  __syncthreads();
  const GatherPart part(g, S::kColumns, S::kSlices,
                        {static_cast<int>(blockIdx.x), static_cast<int>(blockIdx.y), static_cast<int>(blockIdx.z)});
  if (threadIdx.x < kGatherProducers) {
    give_registers<kProducerRegisters>();
    Producer<S> producer(g, part, shared);
    if (g.x.norm) producer.template run_pending<T>(ring);
    else producer.run(ring);
  } else {
    take_registers<kConsumerRegisters>();
    Consumer<T, S>().run(g, part, ring, shared);
  }
#endif
}

template <class T, class S>
void launch(const GatherGemm& g, const TensorGemmPlan& p) {
  LAUNCH_KERNEL_SHARED((group_gemm_kernel<T, S>), gather_grid(p), kGatherThreads, S::kAll, g);
  check_cuda(cudaGetLastError(), "a convolution");
}

// As many buffers as fit into 227 kB, but no more than hide the way to memory.
template <class T>
void launch(const GatherGemm& g, const TensorGemmPlan& p, int slices) {
  if (slices == 1) launch<T, GatherShape<64, 1, 8>>(g, p);
  else if (p.columns == 64) launch<T, GatherShape<64, 2, 6>>(g, p);
  else if (p.columns == 128) launch<T, GatherShape<128, 2, 6>>(g, p);
  else if (p.columns == 160) launch<T, GatherShape<160, 2, 5>>(g, p);
  else launch<T, GatherShape<256, 2, 4>>(g, p);
}

}  // namespace

template <class T>
void group_gemm_cuda(const ConvGeometry& g, bool adjoint, const Tensor& source, const Tensor& weight,
                     const ConvStore& store, const Tensor& dest, void* workspace) {
  const TensorGemmPlan p = TensorGemmPlan::of_groups(g, adjoint, source.layout, dest.layout);
  if (p.rows == 0) return;
  const GatherGemm gemm = prepare_gather_gemm<T>(p, g, adjoint, source, weight, store, dest, workspace);
  launch<T>(gemm, p, group_slices(source.layout.channels()));
  add_parts<T>(gemm);
}

// Code that the driver made of PTX for an older device has empty kernels here.
bool has_group_code() {
  cudaFuncAttributes attributes;
  check_cuda(cudaFuncGetAttributes(&attributes, group_gemm_kernel<__half, GatherShape<64, 1, 8>>),
             "a look at a kernel");
  return attributes.ptxVersion >= 90;
}

template void group_gemm_cuda<__nv_bfloat16>(const ConvGeometry&, bool, const Tensor&, const Tensor&, const ConvStore&,
                                             const Tensor&, void*);
template void group_gemm_cuda<__half>(const ConvGeometry&, bool, const Tensor&, const Tensor&, const ConvStore&,
                                      const Tensor&, void*);

}  // namespace voxelspark
