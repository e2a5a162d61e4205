#include "core/voxel_access.h"
#include "ops/densify/densify.h"

namespace voxelspark {

void densify_forward_reference(const Descriptor&, const Launch& l) {
  by_dtype(l.outputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Layout& out = l.outputs[0].layout;
    const VoxelAccess<const T> x(l.inputs[0].layout, l.inputs[0].as<T>());
    const T* token = present(l.inputs, 1) ? l.inputs[1].as<T>() : nullptr;
    each_voxel(out, l.outputs[0].as<T>(), [&](int64_t n, int64_t z, int64_t y, int64_t x0, T* to) {
      const T* from = x.at(n, z, y, x0);
      for (int64_t c = 0; c < out.channels(); c++) to[c] = from ? from[c] : token ? token[c] : T(0);
    });
  });
}

void densify_token_gradient_reference(const Descriptor& d, const Launch& l) {
  by_dtype(l.outputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Layout& in = l.inputs[0].layout;
    const Layout sparse{in.shape, in.dtype, as<DensifyTokenGradient>(d).mask};
    const VoxelAccess<T> visible(sparse, l.inputs[0].as<T>());  // only asked whether a voxel exists
    std::vector<double> sum(in.channels());
    each_voxel(in, l.inputs[0].as<T>(), [&](int64_t n, int64_t z, int64_t y, int64_t x, const T* gy) {
      if (visible.at(n, z, y, x)) return;
      for (int64_t c = 0; c < in.channels(); c++) sum[c] += gy[c];
    });
    for (int64_t c = 0; c < in.channels(); c++) l.outputs[0].as<T>()[c] = static_cast<T>(sum[c]);
  });
}

}  // namespace voxelspark
