#include "ops/add/add.h"

namespace voxelspark {

static void sum(const Tensor& a, const Tensor& b, const Tensor& y) {
  by_dtype(y.layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t i = 0; i < y.layout.stored_elements(); i++) y.as<T>()[i] = a.as<T>()[i] + b.as<T>()[i];
  });
}

void add_forward_reference(const Descriptor&, const Launch& l) { sum(l.inputs[0], l.inputs[1], l.outputs[0]); }
void accumulate_reference(const Descriptor&, const Launch& l) { sum(l.inputs[0], l.inputs[1], l.inputs[0]); }

}  // namespace voxelspark
