// As the CPU makes them: mean and squared deviations of fixed splits of each group in two passes, merged in order by
// Chan's formula in double; or those that the op before left of each sample, merged alike.
#include "ops/masked_norm/cuda_statistics.cuh"
#include "ops/reduce/cuda_chan.cuh"

namespace voxelspark {

namespace {

// partial: [group][split][mean, M2][channel]
template <class T, int V>
__global__ void __launch_bounds__(kReduceThreads, 2)
    moment_partials(SplitView view, int channels, const T* x, double* partial) {
  const Lane at(blockIdx.z);
  const Loads<V> own(blockIdx.z);
  const bool active = at.channel < channels;
  const SplitView::Range range = view.split(blockIdx.y, blockIdx.x);
  if (range.count() == 0) return;  // all threads of the block; nobody reads its partials
  const double voxels = static_cast<double>(range.count());
  // The pivot takes an offset out before anything is rounded.
  Channels<V> pivot = {};
  if (own.channel < channels) pivot = load<V>(x + range.begin * channels + own.channel);
  double sum[1], moments[2];
  const auto offset = [&](int64_t voxel, Channels<V>(&v)[1]) {
    v[0] = load<V>(x + voxel * channels + own.channel);
#pragma unroll
    for (int i = 0; i < V; i++) v[0].v[i] -= pivot.v[i];
  };
  sum_over(at, own, range, channels, offset, sum);
  SHARED_ARRAY(float, centres, [kLanes]);
  if (at.row == 0 && active)
    centres[at.lane] = static_cast<float>(widen(x[range.begin * channels + at.channel]) + sum[0] / voxels);
  __syncthreads();
  Channels<V> centre = {};
  if (own.channel < channels) centre = load<V>(centres + own.first);
  const auto deviation = [&](int64_t voxel, Channels<V>(&v)[2]) {
    v[0] = load<V>(x + voxel * channels + own.channel);
#pragma unroll
    for (int i = 0; i < V; i++) {
      v[0].v[i] -= centre.v[i];
      v[1].v[i] = v[0].v[i] * v[0].v[i];
    }
  };
  sum_over(at, own, range, channels, deviation, moments);
  if (at.row != 0 || !active) return;
  double* to = partial + (static_cast<int64_t>(blockIdx.y) * gridDim.x + blockIdx.x) * 2 * channels + at.channel;
  to[0] = centres[at.lane] + moments[0] / voxels;
  to[channels] = moments[1] - moments[0] * moments[0] / voxels;
}

struct Running {
  float *mean, *variance;  // null: none
  double momentum;
};

// Parts of a group whose moments are known: its splits, or its samples.
struct OfSplits {
  SplitView view;
  int64_t parts;
  int channels;
  const double* partial;

  __device__ void merge(int group, int64_t part, int c, Moments& all) const {
    const double voxels = static_cast<double>(view.split(group, part).count());
    const double* from = partial + (group * parts + part) * 2 * channels + c;
    if (voxels > 0) all.merge({voxels, from[0], from[channels]});
  }
};

struct OfSamples {
  BlockView blocks;
  int64_t parts;  // of a group: all samples or one
  int channels;
  const float* moments;

  __device__ void merge(int group, int64_t part, int c, Moments& all) const {
    const int n = static_cast<int>(group * parts + part);
    const float* from = moments + int64_t{n} * 2 * channels + c;
    all.merge({static_cast<double>(blocks.first_voxel(n + 1) - blocks.first_voxel(n)), from[0], from[channels]});
  }
};

template <class Parts>
__global__ void merge_moments(Parts parts, int channels, double eps, float* mean, float* inverse_std, Running running) {
  const Lane at(blockIdx.x);
  const bool active = at.channel < channels;
  const int group = blockIdx.y;
  Moments own = {};
  for (int64_t s = at.row; active && s < parts.parts; s += kRows) parts.merge(group, s, at.channel, own);
  SHARED_ARRAY(Moments, rows, [kRows][kLanes]);
  rows[at.row][at.lane] = own;
  __syncthreads();
  if (at.row != 0 || !active) return;
  Moments all = own;
  for (int r = 1; r < kRows; r++) all.merge(rows[r][at.lane]);
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

template <class Parts>
void merge(const MaskedNormForward& op, const Launch& l, const Parts& parts) {
  const Layout& x = l.inputs[0].layout;
  const bool tracked = present(l.inputs, 3);
  const Running running{tracked ? l.inputs[3].f32() : nullptr, tracked ? l.inputs[4].f32() : nullptr, op.momentum};
  const dim3 grid(channel_tiles(parts.channels), static_cast<unsigned>(op.groups(x)));
  LAUNCH_KERNEL(merge_moments<Parts>, grid, kReduceThreads, parts, parts.channels, op.eps, l.outputs[1].f32(),
                l.outputs[2].f32(), running);
  check_cuda(cudaGetLastError(), "the statistics of masked_norm");
}

template <class T>
void merge_splits(const MaskedNormForward& op, const Launch& l) {
  const Layout& x = l.inputs[0].layout;
  const int channels = static_cast<int>(x.channels());
  const VoxelSplits splits = VoxelSplits::of(x, op.batch);
  const SplitView view = split_view(x, op.batch, splits);
  double* partial = static_cast<double*>(l.workspace);
  const dim3 grid(splits.splits, static_cast<unsigned>(splits.groups), channel_tiles(channels));
  by_vector<T>(channels, [&](auto vector) {
    LAUNCH_KERNEL((moment_partials<T, decltype(vector)::value>), grid, kReduceThreads, view, channels,
                  l.inputs[0].as<T>(), partial);
  });
  merge(op, l, OfSplits{view, splits.splits, channels, partial});
}

}  // namespace

void norm_statistics_cuda(const MaskedNormForward& op, const Launch& l) {
  const Layout& x = l.inputs[0].layout;
  if (!op.training) {
    const Evaluate evaluate{l.inputs[3].f32(), l.inputs[4].f32(), op.eps, l.outputs[1].f32(), l.outputs[2].f32()};
    launch_elementwise(x.channels(), evaluate, "the statistics of masked_norm");
  } else if (present(l.inputs, 5)) {
    const int64_t parts = op.batch ? x.shape.samples() : 1;
    merge(op, l, OfSamples{view_of(x), parts, static_cast<int>(x.channels()), l.inputs[5].f32()});
  } else {
    by_element(x.dtype, [&](auto zero) { merge_splits<decltype(zero)>(op, l); });
  }
}

}  // namespace voxelspark
