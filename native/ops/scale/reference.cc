#include "ops/scale/scale.h"

namespace voxelspark {

void scale_reference(const Descriptor& d, const Launch& l) {
  const Tensor &x = l.inputs[0], &y = l.outputs[0];
  by_dtype(y.layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T factor = static_cast<T>(as<Scale>(d).factor);
    for (int64_t i = 0; i < y.layout.stored_elements(); i++) y.as<T>()[i] = factor * x.as<T>()[i];
  });
}

}  // namespace voxelspark
