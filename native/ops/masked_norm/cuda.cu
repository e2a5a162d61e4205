// Statistics (cuda_statistics.cu), then one elementwise pass, or the affine map of it for those who apply it on load;
// backward likewise with its two sums. All reductions have one order, so runs agree in every bit. Feature maps of 16
// bits are float32 as soon as they are loaded.
#include "ops/cuda_pending.cuh"
#include "ops/masked_norm/cuda_statistics.cuh"
#include "ops/reduce/cuda_reduce.cuh"

namespace voxelspark {

namespace {

// What an elementwise pass reads of its group and channel. gamma and beta may be null.
template <class T>
struct Affine {
  BlockView blocks;
  bool batch;
  int channels;
  float slope;
  const T* x;
  const float *mean, *inverse_std, *gamma, *beta;

  __device__ int group_of(int64_t voxel) const { return batch ? 0 : blocks.sample_of(voxel); }
};

// The same of V channels in a row, in registers.
template <int V>
struct ChannelAffine {
  Channels<V> mean, inverse_std, scale, shift;
  float slope;

  template <class T>
  __device__ ChannelAffine(const Affine<T>& in, int group, int c) : slope(in.slope) {
    const int64_t at = static_cast<int64_t>(group) * in.channels + c;
    mean = load<V>(in.mean + at);
    scale = inverse_std = load<V>(in.inverse_std + at);
    shift = {};
    if (in.beta) shift = load<V>(in.beta + c);
    if (!in.gamma) return;
    const Channels<V> gamma = load<V>(in.gamma + c);
#pragma unroll
    for (int i = 0; i < V; i++) scale.v[i] *= gamma.v[i];
  }
  __device__ float xhat(float value, int i) const { return (value - mean.v[i]) * inverse_std.v[i]; }
  // As a reader of a pending map computes it; forward and backward must take the same side of the kink.
  __device__ float z(float value, int i) const { return normalized(value, mean.v[i], scale.v[i], shift.v[i]); }
  __device__ float incoming(float gy, float value, int i) const { return z(value, i) > 0 ? gy : slope * gy; }
};

template <class T>
struct Apply {
  Affine<T> in;
  T* y;

  template <int V>
  __device__ void run(int64_t voxel, int c) const {
    const ChannelAffine<V> affine(in, in.group_of(voxel), c);
    Channels<V> values = load<V>(in.x + voxel * in.channels + c);
#pragma unroll
    for (int i = 0; i < V; i++) values.v[i] = activated(affine.z(values.v[i], i), in.slope);
    store<V>(y + voxel * in.channels + c, values);
  }
};

// partial: [group][split][sum g, sum g xhat][channel]
template <class T, int V>
__global__ void __launch_bounds__(kReduceThreads, 2)
    gradient_partials(SplitView view, Affine<T> in, const T* gy, double* partial) {
  const Lane at(blockIdx.z);
  const Loads<V> own(blockIdx.z);
  const int group = blockIdx.y;
  const ChannelAffine<V> affine(in, group, own.channel < in.channels ? own.channel : 0);
  double sums[2];
  const auto values = [&](int64_t voxel, Channels<V>(&v)[2]) {
    const int64_t element = voxel * in.channels + own.channel;
    const Channels<V> x = load<V>(in.x + element), g = load<V>(gy + element);
#pragma unroll
    for (int i = 0; i < V; i++) {
      v[0].v[i] = affine.incoming(g.v[i], x.v[i], i);
      v[1].v[i] = v[0].v[i] * affine.xhat(x.v[i], i);
    }
  };
  sum_over(at, own, view.split(group, blockIdx.x), in.channels, values, sums);
  if (at.row != 0 || at.channel >= in.channels) return;
  double* to = partial + (static_cast<int64_t>(group) * gridDim.x + blockIdx.x) * 2 * in.channels + at.channel;
  to[0] = sums[0];
  to[in.channels] = sums[1];
}

// means: [group][mean g, mean g xhat][channel], 0 where the statistics are constants. ggamma and gbeta may be null.
__global__ void gradient_totals(SplitView view, int groups, int64_t splits, int channels, bool training,
                                const double* partial, float* means, float* ggamma, float* gbeta) {
  const Lane at(blockIdx.x);
  const bool active = at.channel < channels, first = active && at.row == 0;
  double all[2] = {};
  for (int g = 0; g < groups; g++) {
    double sums[2];
    sum_of_splits(at, partial + g * splits * 2 * channels, splits, channels, active, sums);
    const double voxels = static_cast<double>(view.group(g).count());
    for (int k = 0; k < 2; k++) {
      all[k] += sums[k];
      const double mean = training && voxels > 0 ? sums[k] / voxels : 0;
      if (first) means[(g * 2 + k) * channels + at.channel] = static_cast<float>(mean);
    }
  }
  if (!first || !ggamma) return;
  gbeta[at.channel] = static_cast<float>(all[0]);
  ggamma[at.channel] = static_cast<float>(all[1]);
}

template <class T>
struct Gradient {
  Affine<T> in;
  const T* gy;
  const float* means;
  T* gx;

  template <int V>
  __device__ void run(int64_t voxel, int c) const {
    const int group = in.group_of(voxel);
    const int64_t channels = in.channels, element = voxel * channels + c;
    const ChannelAffine<V> affine(in, group, c);
    const float* from = means + group * 2 * channels + c;
    const Channels<V> mean_g = load<V>(from), mean_g_xhat = load<V>(from + channels), x = load<V>(in.x + element);
    Channels<V> g = load<V>(gy + element);
#pragma unroll
    for (int i = 0; i < V; i++) {
      const float xhat = affine.xhat(x.v[i], i), incoming = affine.incoming(g.v[i], x.v[i], i);
      g.v[i] = affine.scale.v[i] * (incoming - mean_g.v[i] - xhat * mean_g_xhat.v[i]);
    }
    store<V>(gx + element, g);
  }
};

template <class T>
Affine<T> affine_of(const MaskedNorm& op, const Launch& l, const Tensor& mean, const Tensor& inverse_std,
                    size_t gamma) {
  const Layout& layout = l.inputs[0].layout;
  const bool given = present(l.inputs, gamma);
  return {view_of(layout),
          op.batch,
          static_cast<int>(layout.channels()),
          static_cast<float>(op.slope),
          l.inputs[0].as<T>(),
          mean.f32(),
          inverse_std.f32(),
          given ? l.inputs[gamma].f32() : nullptr,
          given ? l.inputs[gamma + 1].f32() : nullptr};
}

template <class T>
void run_forward(const MaskedNormForward& op, const Launch& l) {
  const Layout& layout = l.inputs[0].layout;
  norm_statistics_cuda(op, l);
  const Apply<T> apply{affine_of<T>(op, l, l.outputs[1], l.outputs[2], 1), l.outputs[0].as<T>()};
  launch_channels<T>(layout.voxels(), layout.channels(), true, apply, "masked_norm_forward");
}

// affine[group] = mean, scale, shift, a row of channels each.
struct WriteAffine {
  const float *mean, *inverse_std, *gamma, *beta;  // gamma and beta may be null
  int64_t channels;
  float* affine;

  __device__ void operator()(int64_t i) const {
    const int64_t group = quotient(i, channels), c = i - group * channels;
    float* to = affine + group * 3 * channels + c;
    to[0] = mean[i];
    to[channels] = (gamma ? gamma[c] : 1.0f) * inverse_std[i];
    to[2 * channels] = beta ? beta[c] : 0.0f;
  }
};

// gx may be gy: every element is read before it is written, by the same thread.
template <class T>
void run_backward(const MaskedNorm& op, const Launch& l, T* gx, size_t ggamma_output) {
  const Layout& layout = l.inputs[0].layout;
  const int channels = static_cast<int>(layout.channels());
  const VoxelSplits splits = VoxelSplits::of(layout, op.batch);
  const SplitView view = split_view(layout, op.batch, splits);
  const unsigned tiles = channel_tiles(channels), groups = static_cast<unsigned>(splits.groups);
  const Affine<T> affine = affine_of<T>(op, l, l.inputs[2], l.inputs[3], 4);
  const T* gy = l.inputs[1].as<T>();
  double* partial = static_cast<double*>(l.workspace);
  float* means = reinterpret_cast<float*>(partial + splits.bytes(2, channels) / sizeof(double));
  float* ggamma = affine.gamma ? l.outputs[ggamma_output].f32() : nullptr;
  float* gbeta = affine.gamma ? l.outputs[ggamma_output + 1].f32() : nullptr;
  by_vector<T>(channels, [&](auto vector) {
    LAUNCH_KERNEL((gradient_partials<T, decltype(vector)::value>), dim3(splits.splits, groups, tiles), kReduceThreads,
                  view, affine, gy, partial);
  });
  LAUNCH_KERNEL(gradient_totals, tiles, kReduceThreads, view, groups, splits.splits, channels, op.training, partial,
                means, ggamma, gbeta);
  check_cuda(cudaGetLastError(), "masked_norm_backward");
  const Gradient<T> gradient{affine, gy, means, gx};
  launch_channels<T>(layout.voxels(), channels, true, gradient, "masked_norm_backward");
}

}  // namespace

void masked_norm_forward_cuda(const Descriptor& d, const Launch& l) {
  by_element(l.inputs[0].layout.dtype, [&](auto zero) { run_forward<decltype(zero)>(as<MaskedNormForward>(d), l); });
}

void masked_norm_affine_cuda(const Descriptor& d, const Launch& l) {
  norm_statistics_cuda(as<MaskedNormForward>(d), l);
  const Tensor &affine = l.outputs[0], &mean = l.outputs[1];
  const bool given = present(l.inputs, 1);
  const WriteAffine write{mean.f32(),
                          l.outputs[2].f32(),
                          given ? l.inputs[1].f32() : nullptr,
                          given ? l.inputs[2].f32() : nullptr,
                          mean.layout.shape[1],
                          affine.f32()};
  launch_elementwise(mean.layout.shape.elements(), write, "masked_norm_affine");
}

void masked_norm_backward_cuda(const Descriptor& d, const Launch& l) {
  by_element(l.inputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    run_backward<T>(as<MaskedNorm>(d), l, l.outputs[0].as<T>(), 1);
  });
}

void masked_norm_backward_in_place_cuda(const Descriptor& d, const Launch& l) {
  by_element(l.inputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    run_backward<T>(as<MaskedNorm>(d), l, l.inputs[1].as<T>(), 0);
  });
}

}  // namespace voxelspark
