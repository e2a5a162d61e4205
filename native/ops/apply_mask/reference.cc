#include "core/voxel_access.h"
#include "ops/apply_mask/apply_mask.h"

namespace voxelspark {

void apply_mask_forward_reference(const Descriptor&, const Launch& l) {
  by_dtype(l.outputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Layout& out = l.outputs[0].layout;
    const VoxelAccess<const T> x(l.inputs[0].layout, l.inputs[0].as<T>());
    each_voxel(out, l.outputs[0].as<T>(), [&](int64_t n, int64_t z, int64_t y, int64_t x0, T* to) {
      for (int64_t c = 0; c < out.channels(); c++) to[c] = x.at(n, z, y, x0)[c];
    });
  });
}

}  // namespace voxelspark
