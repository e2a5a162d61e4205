#include "core/voxel_access.h"
#include "ops/masked_mse/masked_mse.h"

namespace voxelspark {

// Calls visit(first element of a voxel, counts).
template <class T, class Visit>
static void each(const MaskedMse& op, const Layout& layout, const T* data, const Visit& visit) {
  const Int3 edge = layout.shape.size() / op.cells();
  each_voxel(layout, data, [&](int64_t n, int64_t z, int64_t y, int64_t x, const T* voxel) {
    visit(voxel - data, op.counts(n, Int3{z, y, x} / edge));
  });
}

void masked_mse_forward_reference(const Descriptor& d, const Launch& l) {
  const auto& op = as<MaskedMse>(d);
  by_dtype(l.outputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T *p = l.inputs[0].as<T>(), *t = l.inputs[1].as<T>();
    const int64_t c = l.inputs[0].layout.channels(), count = op.count(l.inputs[0].layout);
    double sum = 0;
    each(op, l.inputs[0].layout, p, [&](int64_t at, bool counts) {
      for (int64_t i = at; counts && i < at + c; i++) sum += (double(t[i]) - p[i]) * (double(t[i]) - p[i]);
    });
    *l.outputs[0].as<T>() = count ? static_cast<T>(sum / count) : T(0);
  });
}

void masked_mse_backward_reference(const Descriptor& d, const Launch& l) {
  const auto& op = as<MaskedMseBackward>(d);
  by_dtype(l.outputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T *p = l.inputs[0].as<T>(), *t = l.inputs[1].as<T>(), g = *l.inputs[2].as<T>();
    const int64_t c = l.inputs[0].layout.channels(), count = op.count(l.inputs[0].layout);
    each(op, l.inputs[0].layout, p, [&](int64_t at, bool counts) {
      for (int64_t i = at; i < at + c; i++) {
        const T gp = counts ? g * 2 * (p[i] - t[i]) / static_cast<T>(count) : T(0);
        l.outputs[0].as<T>()[i] = gp;
        if (op.target_gradient) l.outputs[1].as<T>()[i] = -gp;
      }
    });
  });
}

}  // namespace voxelspark
