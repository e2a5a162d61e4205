#include "ops/reduce/cuda_reduce.cuh"

namespace voxelspark {

namespace {

template <class T, int V>
__global__ void __launch_bounds__(kReduceThreads, 2)
    channel_partials(SplitView view, int channels, const T* t, double* partial) {
  const Lane at(blockIdx.y);
  const Loads<V> own(blockIdx.y);
  double sum[1];
  const auto value = [&](int64_t voxel, Channels<V>(&v)[1]) { v[0] = load<V>(t + voxel * channels + own.channel); };
  sum_over(at, own, view.split(0, blockIdx.x), channels, value, sum);
  if (at.row == 0 && at.channel < channels) partial[static_cast<int64_t>(blockIdx.x) * channels + at.channel] = sum[0];
}

__global__ void channel_totals(const double* partial, int64_t splits, int channels, float* sums) {
  const Lane at(blockIdx.x);
  double sum[1];
  sum_of_splits(at, partial, splits, channels, at.channel < channels, sum);
  if (at.row == 0 && at.channel < channels) sums[at.channel] = static_cast<float>(sum[0]);
}

}  // namespace

void channel_totals_cuda(const double* partial, int64_t splits, int channels, float* sums, const char* what) {
  LAUNCH_KERNEL(channel_totals, channel_tiles(channels), kReduceThreads, partial, splits, channels, sums);
  check_cuda(cudaGetLastError(), what);
}

void channel_sums_cuda(const Tensor& t, const Tensor& sums, void* workspace) {
  const int channels = static_cast<int>(t.layout.channels());
  const VoxelSplits splits = VoxelSplits::of(t.layout, true);
  const unsigned tiles = channel_tiles(channels);
  double* partial = static_cast<double*>(workspace);
  by_element(t.layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    by_vector<T>(channels, [&](auto vector) {
      LAUNCH_KERNEL((channel_partials<T, decltype(vector)::value>), dim3(splits.splits, tiles), kReduceThreads,
                    split_view(t.layout, true, splits), channels, t.as<T>(), partial);
    });
  });
  channel_totals_cuda(partial, splits.splits, channels, sums.f32(), "channel_sums");
}

}  // namespace voxelspark
