// Elementwise over stored voxels, 16 bytes a thread; the arithmetic of leaky_relu, add and masked_norm, without
// rounding what lies between them.
#include "device/cuda_grid.cuh"
#include "ops/cuda_pending.cuh"
#include "ops/residual/residual.h"

namespace voxelspark {

namespace {

template <class T>
struct Sum {
  BlockView blocks;
  int channels;
  const T *x, *skip;  // skip may be null
  PendingNorm norm, skip_norm;
  float slope;
  T* y;

  template <int V>
  __device__ static Channels<V> term(const T* from, const PendingNorm& norm, int sample, int c) {
    Channels<V> values = load<V>(from);
    if (norm) settle<float>(values, norm, sample, c);
    return values;
  }
  template <int V>
  __device__ void run(int64_t voxel, int c) const {
    const int sample = norm.stride || skip_norm.stride ? blocks.sample_of(voxel) : 0;
    const int64_t at = voxel * channels + c;
    Channels<V> sum = term<V>(x + at, norm, sample, c);
    if (skip) {
      const Channels<V> other = term<V>(skip + at, skip_norm, sample, c);
#pragma unroll
      for (int i = 0; i < V; i++) sum.v[i] += other.v[i];
    }
#pragma unroll
    for (int i = 0; i < V; i++) sum.v[i] = activated(sum.v[i], slope);
    store<V>(y + at, sum);
  }
};

}  // namespace

void residual_forward_cuda(const Descriptor& d, const Launch& l) {
  const auto& op = as<Residual>(d);
  const Layout& layout = l.outputs[0].layout;
  const Tensor x = with_pending(l.inputs, 0, 2, op.x_slope);
  const bool has_skip = present(l.inputs, 1);
  const Tensor skip = has_skip ? with_pending(l.inputs, 1, 3, op.skip_slope) : Tensor{};
  by_element(layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Sum<T> sum{view_of(layout),
                     static_cast<int>(layout.channels()),
                     x.as<T>(),
                     skip.as<T>(),
                     pending_norm(x),
                     has_skip ? pending_norm(skip) : PendingNorm{},
                     static_cast<float>(op.slope),
                     l.outputs[0].as<T>()};
    launch_channels<T>(layout.voxels(), layout.channels(), true, sum, "residual_forward");
  });
}

}  // namespace voxelspark
