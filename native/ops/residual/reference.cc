#include "ops/residual/residual.h"

namespace voxelspark {

void residual_forward_reference(const Descriptor& d, const Launch& l) {
  const auto& op = as<Residual>(d);
  by_dtype(l.outputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Settled<T> x(l.inputs, 0, 2, op.x_slope);
    T* y = l.outputs[0].as<T>();
    const int64_t n = l.outputs[0].layout.stored_elements();
    for (int64_t i = 0; i < n; i++) y[i] = x.tensor().template as<T>()[i];
    if (present(l.inputs, 1)) {
      const Settled<T> skip(l.inputs, 1, 3, op.skip_slope);
      for (int64_t i = 0; i < n; i++) y[i] += skip.tensor().template as<T>()[i];
    }
    for (int64_t i = 0; i < n; i++) y[i] = y[i] > 0 ? y[i] : static_cast<T>(op.slope) * y[i];
  });
}

}  // namespace voxelspark
