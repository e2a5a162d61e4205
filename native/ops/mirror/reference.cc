#include "core/voxel_access.h"
#include "ops/mirror/mirror.h"

namespace voxelspark {

void mirror_reference(const Descriptor& d, const Launch& l) {
  const auto& op = as<Mirror>(d);
  const Layout& layout = l.inputs[0].layout;
  by_dtype(layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    T* x = l.inputs[0].as<T>();
    std::vector<T> copy(x, x + layout.shape.elements());
    const VoxelAccess<T> from(layout, copy.data());
    each_voxel(layout, x, [&](int64_t n, int64_t z, int64_t y, int64_t x0, T* to) {
      const Int3 p = op.partner({z, y, x0}, layout.shape.size());
      for (int64_t c = 0; c < layout.channels(); c++) to[c] = from.at(n, p.z, p.y, p.x)[c];
    });
  });
}

}  // namespace voxelspark
