// Windows never leave a block, so blocks follow each other alike in the fine and the coarse tensor and no table is
// needed. Forward: one thread a group of channels of a coarse voxel, window in order z, y, x. Backward: of a fine
// voxel.
#include "device/cuda_grid.cuh"
#include "ops/avg_pool3d/avg_pool3d.h"

namespace voxelspark {

namespace {

template <class T>
struct Pool {
  Extent kernel, fine, coarse;  // edges of blocks
  int64_t channels;
  float share;  // 1 / voxels of a window
  const T* from;
  T* to;

  // Fine voxel of the first window voxel of a coarse one.
  __device__ int64_t window(int64_t voxel) const {
    const int64_t row = quotient(voxel, coarse.x), slab = quotient(row, coarse.y);
    const int64_t y = row - slab * coarse.y, x = voxel - row * coarse.x;
    return (slab * kernel.z * fine.y + y * kernel.y) * fine.x + x * kernel.x;
  }
};

template <class T>
struct Mean : Pool<T> {
  using P = Pool<T>;
  using P::channels, P::coarse, P::fine, P::from, P::kernel, P::share, P::to;

  template <int V>
  __device__ void run(int64_t voxel, int c) const {
    const T* first = from + this->window(voxel) * channels + c;
    Channels<V> sum = {};
    for (int z = 0; z < kernel.z; z++)
      for (int y = 0; y < kernel.y; y++)
        for (int x = 0; x < kernel.x; x++) {
          const Channels<V> value = load<V>(first + ((static_cast<int64_t>(z) * fine.y + y) * fine.x + x) * channels);
          for (int i = 0; i < V; i++) sum.v[i] += value.v[i];
        }
    for (int i = 0; i < V; i++) sum.v[i] *= share;
    store<V>(to + voxel * channels + c, sum);
  }
};

template <class T>
struct Spread : Pool<T> {
  using P = Pool<T>;
  using P::channels, P::coarse, P::fine, P::from, P::kernel, P::share, P::to;

  template <int V>
  __device__ void run(int64_t voxel, int c) const {
    const int64_t row = quotient(voxel, fine.x), slab = quotient(row, fine.y);
    const int64_t y = quotient(row - slab * fine.y, kernel.y), x = quotient(voxel - row * fine.x, kernel.x);
    const int64_t window = (quotient(slab, kernel.z) * coarse.y + y) * coarse.x + x;
    Channels<V> value = load<V>(from + window * channels + c);
    for (int i = 0; i < V; i++) value.v[i] *= share;
    store<V>(to + voxel * channels + c, value);
  }
};

}  // namespace

template <class T>
static Pool<T> pool_of(Int3 kernel, const Layout& fine, const Layout& coarse, const Tensor& from, const Tensor& to) {
  return {extent(kernel),
          extent(fine.edge()),
          extent(coarse.edge()),
          coarse.channels(),
          static_cast<float>(1.0 / kernel.product()),
          from.as<T>(),
          to.as<T>()};
}

void avg_pool3d_forward_cuda(const Descriptor& d, const Launch& l) {
  const Tensor &x = l.inputs[0], &y = l.outputs[0];
  by_element(y.layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Mean<T> mean{pool_of<T>(as<AvgPool3d>(d).kernel, x.layout, y.layout, x, y)};
    launch_channels<T>(y.layout.voxels(), y.layout.channels(), true, mean, "avg_pool3d_forward");
  });
}

void avg_pool3d_backward_cuda(const Descriptor& d, const Launch& l) {
  const Tensor &gy = l.inputs[0], &gx = l.outputs[0];
  by_element(gx.layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Spread<T> spread{pool_of<T>(as<AvgPool3d>(d).kernel, gx.layout, gy.layout, gy, gx)};
    launch_channels<T>(gx.layout.voxels(), gx.layout.channels(), true, spread, "avg_pool3d_backward");
  });
}

}  // namespace voxelspark
