#include "core/voxel_access.h"
#include "ops/gaussian_accumulate/gaussian_accumulate.h"

namespace voxelspark {

void gaussian_accumulate_reference(const Descriptor& d, const Launch& l) {
  const auto& op = as<GaussianAccumulate>(d);
  by_dtype(l.inputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto access = [&](size_t i) { return VoxelAccess<T>(l.inputs[i].layout, l.inputs[i].as<T>()); };
    const auto sum = access(0), patch = access(2);
    const Int3 size = l.inputs[2].layout.shape.size();
    each_voxel(l.inputs[2].layout, l.inputs[2].as<T>(), [&](int64_t n, int64_t z, int64_t y, int64_t x, const T*) {
      T* to = sum.at(n, op.offset.z + z, op.offset.y + y, op.offset.x + x);
      if (!to) return;
      const Int3 s = op.source({z, y, x}, size);
      const T w = present(l.inputs, 3) ? *access(3).at(0, z, y, x) : T(1);
      for (int64_t c = 0; c < l.inputs[0].layout.channels(); c++) to[c] += w * patch.at(n, s.z, s.y, s.x)[c];
      if (present(l.inputs, 1)) *access(1).at(n, op.offset.z + z, op.offset.y + y, op.offset.x + x) += w;
    });
  });
}

void gaussian_normalize_reference(const Descriptor&, const Launch& l) {
  by_dtype(l.inputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const int64_t c = l.inputs[0].layout.channels();
    for (int64_t i = 0; i < l.inputs[0].layout.voxels() * c; i++) l.inputs[0].as<T>()[i] /= l.inputs[1].as<T>()[i / c];
  });
}

}  // namespace voxelspark
