// One thread a group of channels of a visible voxel: where it lies in the dense tensor follows from its block.
#include "device/cuda_grid.cuh"
#include "ops/apply_mask/apply_mask.h"

namespace voxelspark {

namespace {

template <class T>
struct Pick {
  BlockView sparse, dense;
  int64_t channels;
  const T* x;
  T* y;

  template <int V>
  __device__ void run(int64_t voxel, int c) const {
    store<V>(y + voxel * channels + c, load<V>(x + dense.find(sparse.position(voxel)) * channels + c));
  }
};

}  // namespace

void apply_mask_forward_cuda(const Descriptor&, const Launch& l) {
  const Tensor &x = l.inputs[0], &y = l.outputs[0];
  const int64_t c = y.layout.channels();
  by_element(y.layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Pick<T> pick{view_of(y.layout), view_of(x.layout), c, x.as<T>(), y.as<T>()};
    launch_channels<T>(y.layout.voxels(), c, true, pick, "apply_mask_forward");
  });
}

}  // namespace voxelspark
