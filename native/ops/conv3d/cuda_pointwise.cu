#include "ops/conv3d/cuda_pointwise.cuh"
#include "ops/conv3d/cuda_source.cuh"
#include "ops/reduce/cuda_reduce.cuh"
#include "ops/reduce/cuda_splits.cuh"

namespace voxelspark {

namespace {

// One channel of a voxel, with what is pending on it.
template <class T>
struct OneChannel {
  const T* data;
  int channels;
  PendingNorm norm;

  __device__ float at(int64_t voxel, int sample, int c) const {
    Channels<1> value = load<1>(data + voxel * channels + c);
    if (norm) settle<T>(value, norm, sample, c);
    return value.v[0];
  }
};

template <class T>
OneChannel<T> one_channel(const Tensor& t) {
  return {t.as<T>(), static_cast<int>(t.layout.channels()), pending_norm(t)};
}

// gx[v][c] = bias[c] + sum over k of gy[v][k] * weight[k][c], in the order of k.
template <class T>
struct SpreadChannels {
  BlockView blocks;
  OneChannel<T> gy;
  const float *weights, *bias;
  int64_t channels;
  T* gx;

  template <int V>
  __device__ void run(int64_t voxel, int c) const {
    const int sample = gy.norm.stride ? blocks.sample_of(voxel) : 0;
    Channels<V> sum = {};
    for (int k = 0; k < gy.channels; k++) {
      const float g = gy.at(voxel, sample, k);
      const Channels<V> w = load<V>(weights + k * channels + c);
#pragma unroll
      for (int i = 0; i < V; i++) sum.v[i] = fmaf(g, rounded<T>(w.v[i]), sum.v[i]);
    }
    if (bias) {
      const Channels<V> b = load<V>(bias + c);
#pragma unroll
      for (int i = 0; i < V; i++) sum.v[i] += b.v[i];
    }
    store<V>(gx + voxel * channels + c, sum);
  }
};

// partial: [sample][split][k][c]. A thread block has one split of a sample, 32 channels of x and K of gy.
template <class T, int K>
__global__ void __launch_bounds__(kReduceThreads, 2)
    pointwise_partials(SplitView view, ChannelSource<T> x, OneChannel<T> gy, double* partial) {
  constexpr int V = kVector<T>;
  const Lane at(blockIdx.z);
  const Loads<V> own(blockIdx.z);
  const int sample = blockIdx.y, chunks = (gy.channels + K - 1) / K;
  const int split = static_cast<int>(blockIdx.x) / chunks, first = static_cast<int>(blockIdx.x) % chunks * K;
  ChannelNorm<V> norm = {};
  if (x.norm && own.channel < x.channels) norm.read(x.norm, sample, own.channel);
  double sums[K];
  const auto values = [&](int64_t voxel, Channels<V>(&v)[K]) {
    Channels<V> own_x = load<V>(x.first + voxel * x.channels + own.channel);
#pragma unroll
    for (int i = 0; i < V; i++)
      if (x.norm) own_x.v[i] = rounded<T>(norm.settled(own_x.v[i], i));
#pragma unroll
    for (int k = 0; k < K; k++) {
      const float g = first + k < gy.channels ? gy.at(voxel, sample, first + k) : 0.0f;
#pragma unroll
      for (int i = 0; i < V; i++) v[k].v[i] = g * own_x.v[i];
    }
  };
  sum_over(at, own, view.split(sample, split), x.channels, values, sums);
  if (at.row != 0 || at.channel >= x.channels) return;
  const int64_t line = (static_cast<int64_t>(sample) * (gridDim.x / chunks) + split) * gy.channels + first;
#pragma unroll
  for (int k = 0; k < K; k++)
    if (first + k < gy.channels) partial[(line + k) * x.channels + at.channel] = sums[k];
}

template <class T, int K>
void launch_partials(const SplitView& view, const VoxelSplits& splits, const Tensor& x, const Tensor& gy,
                     double* partial) {
  const OneChannel<T> gradient = one_channel<T>(gy);
  const auto chunks = static_cast<unsigned>((gradient.channels + K - 1) / K);
  const dim3 grid(static_cast<unsigned>(splits.splits) * chunks, static_cast<unsigned>(splits.groups),
                  channel_tiles(x.layout.channels()));
  LAUNCH_KERNEL((pointwise_partials<T, K>), grid, kReduceThreads, view, channel_source<T>(x), gradient, partial);
  check_cuda(cudaGetLastError(), "a weight gradient");
}

}  // namespace

template <class T>
void pointwise_adjoint_cuda(const Tensor& gy, const Tensor& weight, const ConvStore& store, const Tensor& gx) {
  const int64_t channels = gx.layout.channels();
  const SpreadChannels<T> spread{view_of(gx.layout), one_channel<T>(gy), weight.f32(),
                                 store.bias,         channels,           gx.as<T>()};
  launch_channels<T>(gx.layout.voxels(), channels, true, spread, "a convolution");
}

template <class T>
void pointwise_weight_cuda(const Tensor& x, const Tensor& gy, const Tensor& gw, void* workspace) {
  const VoxelSplits splits = VoxelSplits::of(x.layout, false);
  const SplitView view = split_view(x.layout, false, splits);
  double* partial = static_cast<double*>(workspace);
  if (gy.layout.channels() == 1) launch_partials<T, 1>(view, splits, x, gy, partial);
  else launch_partials<T, 2>(view, splits, x, gy, partial);
  const int64_t elements = gw.layout.shape.elements();
  add_splits(partial, 1, splits.groups * splits.splits, elements, gw.f32(), "a weight gradient");
}

#define VS_INSTANCES(T)                                                                                   \
  template void pointwise_adjoint_cuda<T>(const Tensor&, const Tensor&, const ConvStore&, const Tensor&); \
  template void pointwise_weight_cuda<T>(const Tensor&, const Tensor&, const Tensor&, void*);
VS_INSTANCES(__nv_bfloat16)
VS_INSTANCES(__half)
#undef VS_INSTANCES

}  // namespace voxelspark
