#include "core/voxel_access.h"
#include "ops/avg_pool3d/avg_pool3d.h"

namespace voxelspark {

void avg_pool3d_forward_reference(const Descriptor& d, const Launch& l) {
  const Int3 k = as<AvgPool3d>(d).kernel;
  by_dtype(l.outputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Layout& out = l.outputs[0].layout;
    const VoxelAccess<const T> x(l.inputs[0].layout, l.inputs[0].as<T>());
    each_voxel(out, l.outputs[0].as<T>(), [&](int64_t n, int64_t z, int64_t y, int64_t x0, T* to) {
      for (int64_t c = 0; c < out.channels(); c++) {
        double sum = 0;
        for (int64_t i = 0; i < k.product(); i++)
          sum += x.at(n, z * k.z + i / (k.y * k.x), y * k.y + i / k.x % k.y, x0 * k.x + i % k.x)[c];
        to[c] = static_cast<T>(sum / k.product());
      }
    });
  });
}

void avg_pool3d_backward_reference(const Descriptor& d, const Launch& l) {
  const Int3 k = as<AvgPool3d>(d).kernel;
  by_dtype(l.outputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Layout& out = l.outputs[0].layout;
    const VoxelAccess<const T> gy(l.inputs[0].layout, l.inputs[0].as<T>());
    each_voxel(out, l.outputs[0].as<T>(), [&](int64_t n, int64_t z, int64_t y, int64_t x, T* gx) {
      const T* from = gy.at(n, z / k.z, y / k.y, x / k.x);
      for (int64_t c = 0; c < out.channels(); c++) gx[c] = from[c] / static_cast<T>(k.product());
    });
  });
}

}  // namespace voxelspark
