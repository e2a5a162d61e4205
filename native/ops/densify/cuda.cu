// Forward: one thread a group of channels of a dense voxel, from its block or from the token. Token gradient: sums
// over the masked voxels of fixed splits of the dense volume, added in order.
#include "ops/densify/densify.h"
#include "ops/reduce/cuda_reduce.cuh"

namespace voxelspark {

namespace {

template <class T>
struct Fill {
  BlockView dense, sparse;
  int64_t channels;
  const T* x;
  const float* token;  // may be null
  T* y;

  template <int V>
  __device__ void run(int64_t voxel, int c) const {
    const int64_t from = sparse.find(dense.position(voxel));
    Channels<V> value = {};
    if (from >= 0) value = load<V>(x + from * channels + c);
    else if (token) value = load<V>(token + c);
    store<V>(y + voxel * channels + c, value);
  }
};

template <class T, int V>
__global__ void __launch_bounds__(kReduceThreads, 2)
    token_partials(SplitView view, BlockView sparse, int channels, const T* gy, double* partial) {
  const Lane at(blockIdx.y);
  const Loads<V> own(blockIdx.y);
  double sum[1];
  const auto value = [&](int64_t voxel, Channels<V>(&v)[1]) {
    v[0] = {};
    if (sparse.block_at(view.blocks.position(voxel)) < 0) v[0] = load<V>(gy + voxel * channels + own.channel);
  };
  sum_over(at, own, view.split(0, blockIdx.x), channels, value, sum);
  if (at.row == 0 && at.channel < channels) partial[static_cast<int64_t>(blockIdx.x) * channels + at.channel] = sum[0];
}

}  // namespace

void densify_forward_cuda(const Descriptor&, const Launch& l) {
  const Tensor &x = l.inputs[0], &y = l.outputs[0];
  const int64_t c = y.layout.channels();
  const float* token = present(l.inputs, 1) ? l.inputs[1].f32() : nullptr;
  by_element(y.layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Fill<T> fill{view_of(y.layout), view_of(x.layout), c, x.as<T>(), token, y.as<T>()};
    launch_channels<T>(y.layout.voxels(), c, true, fill, "densify_forward");
  });
}

void densify_token_gradient_cuda(const Descriptor& d, const Launch& l) {
  const Tensor& gy = l.inputs[0];
  const int channels = static_cast<int>(gy.layout.channels());
  const VoxelSplits splits = VoxelSplits::of(gy.layout, true);
  const unsigned tiles = channel_tiles(channels);
  double* partial = static_cast<double*>(l.workspace);
  const BlockView sparse = view_of(as<DensifyTokenGradient>(d).mask, gy.layout.shape.size());
  by_element(gy.layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    by_vector<T>(channels, [&](auto vector) {
      LAUNCH_KERNEL((token_partials<T, decltype(vector)::value>), dim3(splits.splits, tiles), kReduceThreads,
                    split_view(gy.layout, true, splits), sparse, channels, gy.as<T>(), partial);
    });
  });
  channel_totals_cuda(partial, splits.splits, channels, l.outputs[0].f32(), "densify_token_gradient");
}

}  // namespace voxelspark
