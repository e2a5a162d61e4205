// Of two voxels that are each other's partners the one that comes first exchanges them.
#include "ops/mirror/cuda_partner.cuh"
#include "ops/mirror/mirror.h"

namespace voxelspark {

namespace {

struct Exchange {
  MirrorView view;
  int64_t channels;
  float* x;

  template <int V>
  __device__ void run(int64_t voxel, int c) const {
    const int64_t other = view.partner(voxel);
    if (other <= voxel) return;
    float *a = x + voxel * channels + c, *b = x + other * channels + c;
    const Channels<V> held = load<V>(a);
    store<V>(a, load<V>(b));
    store<V>(b, held);
  }
};

}  // namespace

void mirror_cuda(const Descriptor& d, const Launch& l) {
  const Int3 axes = as<Mirror>(d).axes;
  if (axes == Int3{0, 0, 0}) return;
  const Layout& layout = l.inputs[0].layout;
  const MirrorView view{view_of(layout), axes.z == 1, axes.y == 1, axes.x == 1};
  const Exchange body{view, layout.channels(), l.inputs[0].f32()};
  launch_channels(layout.voxels(), layout.channels(), true, body, "mirror");
}

}  // namespace voxelspark
