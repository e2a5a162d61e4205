// Statistics as the CPU makes them: mean and squared deviations of fixed splits of each group in two passes, merged in
// order by Chan's formula in double. Then one elementwise pass; backward likewise with its two sums. All reductions
// have one order, so runs agree in every bit. Feature maps of 16 bits are float32 as soon as they are loaded.
#include "ops/masked_norm/masked_norm.h"
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
  __device__ float xhat(float value, int group, int c) const {
    const int64_t at = static_cast<int64_t>(group) * channels + c;
    return (value - mean[at]) * inverse_std[at];
  }
  // Forward and backward must take the same side of the kink, so both compute z here.
  __device__ float z(float xhat, int c) const { return gamma ? fmaf(gamma[c], xhat, beta[c]) : xhat; }
  __device__ float incoming(float gy, float xhat, int c) const { return z(xhat, c) > 0 ? gy : slope * gy; }
};

// partial: [group][split][mean, M2][channel]
template <class T>
__global__ void moment_partials(SplitView view, int channels, const T* x, double* partial) {
  const Lane at(blockIdx.z);
  const bool active = at.channel < channels;
  const SplitView::Range range = view.split(blockIdx.y, blockIdx.x);
  if (range.count() == 0) return;  // all threads of the block; nobody reads its partials
  const double voxels = static_cast<double>(range.count());
  // The pivot takes an offset out before anything is rounded.
  const float pivot = active ? widen(x[range.begin * channels + at.channel]) : 0.0f;
  double sum[1], moments[2];
  const auto offset = [&](int64_t voxel, float(&v)[1]) { v[0] = widen(x[voxel * channels + at.channel]) - pivot; };
  sum_over(at, range, active, offset, sum);
  const double mean = pivot + sum[0] / voxels;
  const float centre = static_cast<float>(mean);
  const auto deviation = [&](int64_t voxel, float(&v)[2]) {
    v[0] = widen(x[voxel * channels + at.channel]) - centre;
    v[1] = v[0] * v[0];
  };
  sum_over(at, range, active, deviation, moments);
  if (at.row != 0 || !active) return;
  double* to = partial + (static_cast<int64_t>(blockIdx.y) * gridDim.x + blockIdx.x) * 2 * channels + at.channel;
  to[0] = centre + moments[0] / voxels;
  to[channels] = moments[1] - moments[0] * moments[0] / voxels;
}

struct Moments {
  double voxels, mean, m2;

  // Chan, Golub and LeVeque's pairwise formula.
  __device__ void merge(double n, double other_mean, double other_m2) {
    if (n == 0) return;
    const double total = voxels + n, delta = other_mean - mean;
    mean += delta * (n / total);
    m2 += other_m2 + delta * delta * (voxels * n / total);
    voxels = total;
  }
};

struct Running {
  float *mean, *variance;  // null: none
  double momentum;
};

__global__ void merge_moments(SplitView view, int64_t splits, int channels, double eps, const double* partial,
                              float* mean, float* inverse_std, Running running) {
  const Lane at(blockIdx.x);
  const bool active = at.channel < channels;
  const int group = blockIdx.y;
  Moments own = {};
  for (int64_t s = at.row; active && s < splits; s += kRows) {
    const double voxels = static_cast<double>(view.split(group, s).count());
    const double* from = partial + (group * splits + s) * 2 * channels + at.channel;
    if (voxels > 0) own.merge(voxels, from[0], from[channels]);
  }
  SHARED_ARRAY(Moments, rows, [kRows][kLanes]);
  rows[at.row][at.lane] = own;
  __syncthreads();
  if (at.row != 0 || !active) return;
  Moments all = own;
  for (int r = 1; r < kRows; r++) all.merge(rows[r][at.lane].voxels, rows[r][at.lane].mean, rows[r][at.lane].m2);
  const double variance = all.voxels > 0 && all.m2 > 0 ? all.m2 / all.voxels : 0;
  const int64_t to = static_cast<int64_t>(group) * channels + at.channel;
  mean[to] = static_cast<float>(all.mean);
  inverse_std[to] = static_cast<float>(1 / sqrt(variance + eps));
  if (!running.mean || all.voxels == 0) return;
  const double unbiased = all.m2 / (all.voxels > 1 ? all.voxels - 1 : 1), keep = 1 - running.momentum;
  float &m = running.mean[at.channel], &v = running.variance[at.channel];
  m = static_cast<float>(keep * m + running.momentum * all.mean);
  v = static_cast<float>(keep * v + running.momentum * unbiased);
}

struct Evaluate {
  const float *running_mean, *running_variance;
  double eps;
  float *mean, *inverse_std;

  __device__ void operator()(int64_t c) const {
    mean[c] = running_mean[c];
    inverse_std[c] = static_cast<float>(1 / sqrt(running_variance[c] + eps));
  }
};

template <class T>
struct Apply {
  Affine<T> in;
  T* y;

  template <int V>
  __device__ void run(int64_t voxel, int c) const {
    const int group = in.group_of(voxel);
    Channels<V> values = load<V>(in.x + voxel * in.channels + c);
    for (int i = 0; i < V; i++) {
      const float z = in.z(in.xhat(values.v[i], group, c + i), c + i);
      values.v[i] = z > 0 ? z : in.slope * z;
    }
    store<V>(y + voxel * in.channels + c, values);
  }
};

// partial: [group][split][sum g, sum g xhat][channel]
template <class T>
__global__ void gradient_partials(SplitView view, Affine<T> in, const T* gy, double* partial) {
  const Lane at(blockIdx.z);
  const bool active = at.channel < in.channels;
  const int group = blockIdx.y;
  double sums[2];
  const auto values = [&](int64_t voxel, float(&v)[2]) {
    const int64_t element = voxel * in.channels + at.channel;
    const float xhat = in.xhat(widen(in.x[element]), group, at.channel);
    v[0] = in.incoming(widen(gy[element]), xhat, at.channel);
    v[1] = v[0] * xhat;
  };
  sum_over(at, view.split(group, blockIdx.x), active, values, sums);
  if (at.row != 0 || !active) return;
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
    const float *mean_g = means + group * 2 * channels, *inverse_std = in.inverse_std + group * channels;
    const Channels<V> x = load<V>(in.x + element);
    Channels<V> g = load<V>(gy + element);
    for (int i = 0; i < V; i++) {
      const int k = c + i;
      const float xhat = in.xhat(x.v[i], group, k), incoming = in.incoming(g.v[i], xhat, k);
      const float scale = (in.gamma ? in.gamma[k] : 1.0f) * inverse_std[k];
      g.v[i] = scale * (incoming - mean_g[k] - xhat * mean_g[channels + k]);
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
void launch_moments(const MaskedNormForward& op, const Launch& l) {
  const Layout& layout = l.inputs[0].layout;
  const int channels = static_cast<int>(layout.channels());
  const VoxelSplits splits = VoxelSplits::of(layout, op.batch);
  const SplitView view = split_view(layout, op.batch, splits);
  const unsigned tiles = channel_tiles(channels), groups = static_cast<unsigned>(splits.groups);
  double* partial = static_cast<double*>(l.workspace);
  const bool tracked = present(l.inputs, 3);
  const Running running{tracked ? l.inputs[3].f32() : nullptr, tracked ? l.inputs[4].f32() : nullptr, op.momentum};
  LAUNCH_KERNEL(moment_partials<T>, dim3(splits.splits, groups, tiles), kReduceThreads, view, channels,
                l.inputs[0].as<T>(), partial);
  LAUNCH_KERNEL(merge_moments, dim3(tiles, groups), kReduceThreads, view, splits.splits, channels, op.eps, partial,
                l.outputs[1].f32(), l.outputs[2].f32(), running);
  check_cuda(cudaGetLastError(), "the statistics of masked_norm_forward");
}

template <class T>
void run_forward(const MaskedNormForward& op, const Launch& l) {
  const Layout& layout = l.inputs[0].layout;
  if (op.training) {
    launch_moments<T>(op, l);
  } else {
    const Evaluate evaluate{l.inputs[3].f32(), l.inputs[4].f32(), op.eps, l.outputs[1].f32(), l.outputs[2].f32()};
    launch_elementwise(layout.channels(), evaluate, "masked_norm_forward");
  }
  const Apply<T> apply{affine_of<T>(op, l, l.outputs[1], l.outputs[2], 1), l.outputs[0].as<T>()};
  launch_channels<T>(layout.voxels(), layout.channels(), true, apply, "masked_norm_forward");
}

template <class T>
void run_backward(const MaskedNormBackward& op, const Launch& l) {
  const Layout& layout = l.inputs[0].layout;
  const int channels = static_cast<int>(layout.channels());
  const VoxelSplits splits = VoxelSplits::of(layout, op.batch);
  const SplitView view = split_view(layout, op.batch, splits);
  const unsigned tiles = channel_tiles(channels), groups = static_cast<unsigned>(splits.groups);
  const Affine<T> affine = affine_of<T>(op, l, l.inputs[2], l.inputs[3], 4);
  const T* gy = l.inputs[1].as<T>();
  double* partial = static_cast<double*>(l.workspace);
  float* means = reinterpret_cast<float*>(partial + splits.bytes(2, channels) / sizeof(double));
  float *ggamma = affine.gamma ? l.outputs[1].f32() : nullptr, *gbeta = affine.gamma ? l.outputs[2].f32() : nullptr;
  LAUNCH_KERNEL(gradient_partials<T>, dim3(splits.splits, groups, tiles), kReduceThreads, view, affine, gy, partial);
  LAUNCH_KERNEL(gradient_totals, tiles, kReduceThreads, view, groups, splits.splits, channels, op.training, partial,
                means, ggamma, gbeta);
  check_cuda(cudaGetLastError(), "masked_norm_backward");
  const Gradient<T> gradient{affine, gy, means, l.outputs[0].as<T>()};
  launch_channels<T>(layout.voxels(), channels, true, gradient, "masked_norm_backward");
}

}  // namespace

void masked_norm_forward_cuda(const Descriptor& d, const Launch& l) {
  by_element(l.inputs[0].layout.dtype, [&](auto zero) { run_forward<decltype(zero)>(as<MaskedNormForward>(d), l); });
}

void masked_norm_backward_cuda(const Descriptor& d, const Launch& l) {
  by_element(l.inputs[0].layout.dtype, [&](auto zero) { run_backward<decltype(zero)>(as<MaskedNormBackward>(d), l); });
}

}  // namespace voxelspark
