#include "ops/leaky_relu/leaky_relu.h"

namespace voxelspark {

void leaky_relu_forward_reference(const Descriptor& d, const Launch& l) {
  by_dtype(l.outputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T *x = l.inputs[0].as<T>(), slope = static_cast<T>(as<LeakyRelu>(d).slope);
    T* y = l.outputs[0].as<T>();
    for (int64_t i = 0; i < l.outputs[0].layout.stored_elements(); i++) y[i] = x[i] > 0 ? x[i] : slope * x[i];
  });
}

void leaky_relu_backward_reference(const Descriptor& d, const Launch& l) {
  by_dtype(l.outputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T *y = l.inputs[0].as<T>(), *gy = l.inputs[1].as<T>(), slope = static_cast<T>(as<LeakyRelu>(d).slope);
    T* gx = l.outputs[0].as<T>();
    for (int64_t i = 0; i < l.outputs[0].layout.stored_elements(); i++) gx[i] = y[i] > 0 ? gy[i] : slope * gy[i];
  });
}

}  // namespace voxelspark
