#include "ops/token_affine/token_affine.h"

namespace voxelspark {

void token_affine_forward_reference(const Descriptor&, const Launch& l) {
  by_dtype(l.inputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t c = 0; c < l.outputs[0].layout.shape[0]; c++) {
      l.outputs[0].as<T>()[c] = T(1);
      l.outputs[1].as<T>()[c] = -l.inputs[0].as<T>()[c];
    }
  });
}

void token_affine_backward_reference(const Descriptor&, const Launch& l) {
  by_dtype(l.inputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t c = 0; c < l.inputs[0].layout.shape[0]; c++) l.outputs[0].as<T>()[c] = -l.inputs[0].as<T>()[c];
  });
}

}  // namespace voxelspark
