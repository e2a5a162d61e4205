// 3 x 3 x 3 convolution of stride 1 on halo tiles: a thread block computes 4 x 8 x 8 voxels by 32 or 64 channels at a
// time and stays for several tiles. The sum runs over slices of 32 source channels; of each, the tile and its halo are
// copied once and serve all 27 taps. The adjoint is the same with the taps reversed.
//
// Four warps copy in the background, tiles into two buffers and weights, some taps at a time, into a ring; eight warps
// multiply, 2 x (2 x 8) voxels by all columns each. Sums are float32 and in one order, so the same bits in every run.
#include "ops/conv3d/cuda_halo_conv.cuh"
#include "ops/conv3d/cuda_halo_parts.cuh"

namespace voxelspark {

namespace {

// As much as 99 kB of shared memory, the least of any device, leave.
using Shape32 = HaloShape<32, kTileDepth, 3, 3>;
using Shape64 = HaloShape<64, kTileDepth, 1, 5>;

template <class T, class S>
struct Producer : HaloProducer<T, S, Producer<T, S>> {
  using HaloProducer<T, S, Producer<T, S>>::HaloProducer;

  __device__ void announce_halo() {
    const SharedAddress full = this->memory.halos.full(this->halo_turn.buffer);
    if (this->g.x.norm) barrier_arrive(full);  // the tile was stored by this thread
    else arrive_after_copies(full);
    this->halo_turn.next();
  }
  __device__ void copy_weights(const HaloPlace& place, int unit) {
    auto& turn = this->weight_turn;
    const Vector16* from = this->unit_of(place, unit);
    const SharedAddress to = this->memory.unit(turn.buffer);
    turn.wait_empty(this->memory.weights);
    for (int i = threadIdx.x; i < S::kUnitBytes / 16; i += kHaloProducers) copy_async(to + i * 16, from + i, true);
    arrive_after_copies(this->memory.weights.full(turn.buffer));
    turn.next();
  }
};

template <class T, class S>
struct Consumer {
  const HaloConv& g;
  HaloMemory<S> memory;
  HaloSums<T, S> sums;

  __device__ Consumer(const HaloConv& g, const HaloMemory<S>& memory) : g(g), memory(memory) {}
  __device__ void add_tap(SharedAddress halo, SharedAddress taps, int dz, int dy, int dx) {
    const int lane = sums.lane;
#pragma unroll
    for (int k = 0; k < kSliceChannels / 16; k++) {
      uint32_t a[S::kOwnPlanes][4];
#pragma unroll
      for (int m = 0; m < S::kOwnPlanes; m++)
        load_matrices(a[m], halo + S::Tile::offset(k * 2 + lane / 16, sums.z + m + dz, sums.y + lane / 8 % 2 + dy,
                                                   lane % 8 + dx));
#pragma unroll
      for (int n = 0; n < S::kColumns / 16; n++) {
        uint32_t b[4];
        const int column = n * 16 + lane / 16 * 8 + lane % 8;
        load_matrices(b, taps + ((k * 2 + lane / 8 % 2) * S::kColumns + column) * 16);
#pragma unroll
        for (int m = 0; m < S::kOwnPlanes; m++) {
          multiply<T>(&sums.plane[m][n * 8], a[m], b[0], b[1]);
          multiply<T>(&sums.plane[m][n * 8 + 4], a[m], b[2], b[3]);
        }
      }
    }
  }
  __device__ void add_unit(SharedAddress halo, SharedAddress taps, int unit) {
#pragma unroll
    for (int i = 0; i < S::kUnitTaps; i++) {
      const int tap = unit * S::kUnitTaps + i;
      add_tap(halo, taps + i * kHaloPlanes * S::kColumns * 16, tap / 9, tap / 3 % 3, tap % 3);
    }
  }
  __device__ void run() {
    Turn<kHaloBuffers> halo_turn;
    Turn<S::kBuffers> weight_turn;
    for (HaloPlace place = HaloPlace::first(g); place.exists(g); place = place.next(g)) {
      if (place.slice == 0) sums.clear();
      halo_turn.wait_full(memory.halos);
      for (int unit = 0; unit < S::kUnits; unit++, weight_turn.next()) {
        weight_turn.wait_full(memory.weights);
        add_unit(memory.halo(halo_turn.buffer), memory.unit(weight_turn.buffer), unit);
        release_buffer(memory.weights.empty(weight_turn.buffer));
      }
      release_buffer(memory.halos.empty(halo_turn.buffer));
      halo_turn.next();
      if (place.slice + 1 == g.slices) sums.finish(g, place.item, memory);
    }
  }
};

template <class T, class S>
__global__ void __launch_bounds__(kHaloThreads, 1) halo_conv_kernel(HaloConv g) {
  const HaloMemory<S> memory(dynamic_shared());
  if (threadIdx.x == 0) {
    memory.halos.init(kHaloProducers, kHaloConsumers / kWarpThreads);
    memory.weights.init(kHaloProducers, kHaloConsumers / kWarpThreads);
  }
  __syncthreads();
  if (threadIdx.x < kHaloProducers) Producer<T, S>(g, memory).run();
  else Consumer<T, S>(g, memory).run();
}

}  // namespace

template <class T>
void halo_conv_cuda(const ConvGeometry& g, bool adjoint, const Tensor& source, const Tensor& weight,
                    const ConvStore& store, const Tensor& dest, void* workspace) {
  const int columns = HaloPlan::of(g, source.layout, dest.layout).columns;
  const HaloConv conv = prepare_halo_conv<T>(adjoint, source, weight, store, dest, workspace, columns, kTileDepth);
  const unsigned blocks = halo_blocks(conv);
  if (blocks == 0) return;
  if (columns == 64) LAUNCH_KERNEL_SHARED((halo_conv_kernel<T, Shape64>), blocks, kHaloThreads, Shape64::kAll, conv);
  else LAUNCH_KERNEL_SHARED((halo_conv_kernel<T, Shape32>), blocks, kHaloThreads, Shape32::kAll, conv);
  check_cuda(cudaGetLastError(), "a convolution");
}

template void halo_conv_cuda<__nv_bfloat16>(const ConvGeometry&, bool, const Tensor&, const Tensor&, const ConvStore&,
                                            const Tensor&, void*);
template void halo_conv_cuda<__half>(const ConvGeometry&, bool, const Tensor&, const Tensor&, const ConvStore&,
                                     const Tensor&, void*);

}  // namespace voxelspark
