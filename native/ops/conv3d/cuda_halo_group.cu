// 3 x 3 x 3 convolution of stride 1 on halo tiles by warpgroups (wgmma, sm_90a): cuda_halo_conv.cu with larger tiles, 8
// x 8 x 8 voxels by 32 or 64 channels or 4 x 8 x 8 by 128. Two forms: the tile as an operand in shared memory, where a
// tap is nothing but another start of its descriptor, or loaded into registers.
//
// Weights come by bulk copies, a unit of taps each. A tile is announced once its copies are done and made visible to
// the products. A warpgroup gives buffers back only after wait_products(): until then the products read them.
#include "device/cuda_wgmma.cuh"
#include "ops/conv3d/cuda_halo_conv.cuh"
#include "ops/conv3d/cuda_halo_parts.cuh"

namespace voxelspark {

namespace {

#if VS_HAS_WGMMA
constexpr int kProducerRegisters = 88, kConsumerRegisters = 208;
static_assert(can_hand_over(kProducerRegisters, kConsumerRegisters), "or consumers wait forever");

template <class T, class S>
struct Producer : HaloProducer<T, S, Producer<T, S>> {
  using HaloProducer<T, S, Producer<T, S>>::HaloProducer;

  __device__ void announce_halo() {
    commit_copies();
    wait_for_copies<0>();
    barrier_arrive(this->memory.halos.full(this->halo_turn.buffer));
    this->halo_turn.next();
  }
  // Only who fills a buffer waits for it: the ring goes on without the others, and who comes two phases late finds the
  // parity that it waits to see over.
  __device__ void copy_weights(const HaloPlace& place, int unit) {
    auto& turn = this->weight_turn;
    if (threadIdx.x == 0) {
      turn.wait_empty(this->memory.weights);
      copy_bulk(this->memory.unit(turn.buffer), this->unit_of(place, unit), S::kUnitBytes,
                this->memory.weights.full(turn.buffer));
    }
    turn.next();
  }
};

template <class T, class S, bool kRegisters>
struct Consumer {
  const HaloConv& g;
  HaloMemory<S> memory;
  HaloSums<T, S> sums;

  __device__ Consumer(const HaloConv& g, const HaloMemory<S>& memory) : g(g), memory(memory) {}

  // Units of a descriptor are 16 bytes: a voxel of the tile, a column of a plane of weights.
  __device__ static uint64_t weights_at(SharedAddress unit, int tap, int k) {
    constexpr uint64_t kLayout = matrix_layout(8 * 16, S::kColumns * 16);
    return matrix_at(kLayout, unit) + static_cast<uint32_t>((tap * kHaloPlanes + k * 2) * S::kColumns);
  }
  __device__ void add_from_shared(SharedAddress halo, SharedAddress unit, int dz, int dy0) {
    constexpr uint64_t kLayout = matrix_layout(kHaloEdge * 16, S::Tile::kPitch * 16);
    const uint64_t first = matrix_at(kLayout, halo + S::Tile::offset(0, sums.z + dz, dy0, 0));
#pragma unroll 1
    for (int dy = 0; dy < S::kUnitTaps / 3; dy++) {
      begin_products();
#pragma unroll
      for (int dx = 0; dx < 3; dx++)
#pragma unroll
        for (int k = 0; k < kSliceChannels / 16; k++)
#pragma unroll
          for (int m = 0; m < S::kOwnPlanes; m++)
            multiply_group<T, S::kColumns>(sums.plane[m],
                                           first + static_cast<uint32_t>(S::Tile::offset(2 * k, m, dy, dx) / 16),
                                           weights_at(unit, dy * 3 + dx, k));
      commit_products();  // behind the last product: a group of its own would be an empty product
    }
    wait_products<0>();
  }
  // Fragments in two turns: one is loaded while the products of the other run.
  __device__ void add_from_registers(SharedAddress halo, SharedAddress unit, int dz, int dy0) {
    const int lane = sums.lane;
    const SharedAddress first = halo + S::Tile::offset(lane / 16, sums.z + dz, sums.y + lane / 8 % 2 + dy0, lane % 8);
    uint32_t a[2][S::kOwnPlanes][4];
#pragma unroll 1
    for (int dy = 0; dy < S::kUnitTaps / 3; dy++)
#pragma unroll
      for (int i = 0; i < 6; i++) {
        const int dx = i / 2, k = i % 2;
#pragma unroll
        for (int m = 0; m < S::kOwnPlanes; m++) load_matrices(a[k][m], first + S::Tile::offset(2 * k, m, dy, dx));
        begin_products();
#pragma unroll
        for (int m = 0; m < S::kOwnPlanes; m++)
          multiply_group<T, S::kColumns>(sums.plane[m], a[k][m], weights_at(unit, dy * 3 + dx, k));
        commit_products();
        wait_products<1>();
      }
    wait_products<0>();
  }
  __device__ void pin() {
#pragma unroll
    for (auto& plane : sums.plane) pin_sums(plane);
  }
  __device__ void run() {
    Turn<kHaloBuffers> halo_turn;
    Turn<S::kBuffers> weight_turn;
    for (HaloPlace place = HaloPlace::first(g); place.exists(g); place = place.next(g)) {
      if (place.slice == 0) sums.clear();
      pin();
      halo_turn.wait_full(memory.halos);
      const SharedAddress halo = memory.halo(halo_turn.buffer);
#pragma unroll 1
      for (int unit = 0; unit < S::kUnits; unit++, weight_turn.next()) {
        weight_turn.wait_full(memory.weights);
        const int tap = unit * S::kUnitTaps, dz = tap / 9, dy0 = tap / 3 % 3;
        if constexpr (kRegisters) add_from_registers(halo, memory.unit(weight_turn.buffer), dz, dy0);
        else add_from_shared(halo, memory.unit(weight_turn.buffer), dz, dy0);
        release_buffer(memory.weights.empty(weight_turn.buffer));
      }
      pin();
      release_buffer(memory.halos.empty(halo_turn.buffer));
      halo_turn.next();
      if (place.slice + 1 == g.slices) sums.finish(g, place.item, memory);
    }
  }
};
#endif

template <class T, class S, bool kRegisters>
__global__ void __launch_bounds__(kHaloThreads, 1) halo_group_kernel(HaloConv g) {
#if VS_HAS_WGMMA
  const HaloMemory<S> memory(dynamic_shared());
  if (threadIdx.x == 0) {
    memory.halos.init(kHaloProducers, kHaloConsumers / kWarpThreads);
    memory.weights.init(1, kHaloConsumers / kWarpThreads);
    fence_barriers();
  }
  __syncthreads();
  if (threadIdx.x < kHaloProducers) {
    give_registers<kProducerRegisters>();
    Producer<T, S>(g, memory).run();
  } else {
    take_registers<kConsumerRegisters>();
    Consumer<T, S, kRegisters>(g, memory).run();
  }
#endif
}

template <class T, class S, bool kRegisters>
void launch(bool adjoint, const Tensor& source, const Tensor& weight, const ConvStore& store, const Tensor& dest,
            void* workspace) {
  const HaloConv g = prepare_halo_conv<T>(adjoint, source, weight, store, dest, workspace, S::kColumns, S::kDepth);
  const unsigned blocks = halo_blocks(g);
  if (blocks == 0) return;
  LAUNCH_KERNEL_SHARED((halo_group_kernel<T, S, kRegisters>), blocks, kHaloThreads, S::kAll, g);
  check_cuda(cudaGetLastError(), "a convolution");
}

}  // namespace

template <class T, bool kRegisters>
void halo_group_cuda(const ConvGeometry&, bool adjoint, const Tensor& source, const Tensor& weight,
                     const ConvStore& store, const Tensor& dest, void* workspace) {
  const int64_t k = dest.layout.channels();
  if (k % 128 == 0) launch<T, HaloShape<128, 4, 3, 5>, kRegisters>(adjoint, source, weight, store, dest, workspace);
  else if (k % 64 == 0) launch<T, HaloShape<64, 8, 9, 2>, kRegisters>(adjoint, source, weight, store, dest, workspace);
  else launch<T, HaloShape<32, 8, 9, 4>, kRegisters>(adjoint, source, weight, store, dest, workspace);
}

#define VS_INSTANCE(T, kRegisters)                                                                      \
  template void halo_group_cuda<T, kRegisters>(const ConvGeometry&, bool, const Tensor&, const Tensor&, \
                                               const ConvStore&, const Tensor&, void*);
VS_INSTANCE(__nv_bfloat16, false)
VS_INSTANCE(__nv_bfloat16, true)
VS_INSTANCE(__half, false)
VS_INSTANCE(__half, true)
#undef VS_INSTANCE

}  // namespace voxelspark
