// One thread a group of channels of a voxel that the patch touches; that of the first channel adds to the weight.
#include "device/cuda_grid.cuh"
#include "ops/gaussian_accumulate/gaussian_accumulate.h"

namespace voxelspark {

namespace {

struct Add {
  Extent touched, size, patch_size;  // of the overlap, the accumulator and the patch
  int64_t z0, y0, x0;                // first touched voxel of the accumulator
  int64_t pz, py, px;                // the same in the patch
  bool flip_z, flip_y, flip_x;
  int64_t channels;
  float *sum, *weight;          // weight may be null
  const float *patch, *window;  // window may be null

  template <int V>
  __device__ void run(int64_t voxel, int c) const {
    const int64_t row = quotient(voxel, touched.x), plane = quotient(row, touched.y), n = quotient(plane, touched.z);
    const int64_t z = plane - n * touched.z, y = row - plane * touched.y, x = voxel - row * touched.x;
    const int64_t at = ((n * size.z + z0 + z) * size.y + y0 + y) * size.x + x0 + x;
    const int64_t qz = pz + z, qy = py + y, qx = px + x;
    const int64_t sz = flip_z ? patch_size.z - 1 - qz : qz, sy = flip_y ? patch_size.y - 1 - qy : qy;
    const int64_t sx = flip_x ? patch_size.x - 1 - qx : qx;
    const int64_t from = ((n * patch_size.z + sz) * patch_size.y + sy) * patch_size.x + sx;
    const float w = window ? window[(qz * patch_size.y + qy) * patch_size.x + qx] : 1.0f;
    Channels<V> total = load<V>(sum + at * channels + c);
    const Channels<V> value = load<V>(patch + from * channels + c);
    for (int i = 0; i < V; i++) total.v[i] += w * value.v[i];
    store<V>(sum + at * channels + c, total);
    if (weight && c == 0) weight[at] += w;
  }
};

struct Divide {
  int64_t channels;
  float* sum;
  const float* weight;

  template <int V>
  __device__ void run(int64_t voxel, int c) const {
    Channels<V> total = load<V>(sum + voxel * channels + c);
    for (int i = 0; i < V; i++) total.v[i] /= weight[voxel];
    store<V>(sum + voxel * channels + c, total);
  }
};

}  // namespace

void gaussian_accumulate_cuda(const Descriptor& d, const Launch& l) {
  const auto& op = as<GaussianAccumulate>(d);
  const Overlap overlap = op.overlap(l.inputs);
  if (overlap.empty()) return;
  const Int3 touched = overlap.end - overlap.begin, first = overlap.begin - op.offset;
  const Layout &sum = l.inputs[0].layout, &patch = l.inputs[2].layout;
  const Add add{extent(touched),
                extent(sum.shape.size()),
                extent(patch.shape.size()),
                overlap.begin.z,
                overlap.begin.y,
                overlap.begin.x,
                first.z,
                first.y,
                first.x,
                op.flip.z != 0,
                op.flip.y != 0,
                op.flip.x != 0,
                sum.channels(),
                l.inputs[0].f32(),
                present(l.inputs, 1) ? l.inputs[1].f32() : nullptr,
                l.inputs[2].f32(),
                present(l.inputs, 3) ? l.inputs[3].f32() : nullptr};
  launch_channels(sum.shape.samples() * touched.product(), sum.channels(), true, add, "gaussian_accumulate");
}

void gaussian_normalize_cuda(const Descriptor&, const Launch& l) {
  const Layout& sum = l.inputs[0].layout;
  const Divide divide{sum.channels(), l.inputs[0].f32(), l.inputs[1].f32()};
  launch_channels(sum.voxels(), sum.channels(), true, divide, "gaussian_normalize");
}

}  // namespace voxelspark
