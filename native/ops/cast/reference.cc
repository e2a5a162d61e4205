#include "ops/cast/cast.h"

namespace voxelspark {

void cast_reference(const Descriptor&, const Launch& l) {
  const Tensor &x = l.inputs[0], &y = l.outputs[0];
  by_dtype(x.layout.dtype, [&](auto from) {
    by_dtype(y.layout.dtype, [&](auto to) {
      using From = decltype(from);
      using To = decltype(to);
      for (int64_t i = 0; i < y.layout.stored_elements(); i++) y.as<To>()[i] = static_cast<To>(x.as<From>()[i]);
    });
  });
}

}  // namespace voxelspark
