#include "ops/sgd/sgd.h"

namespace voxelspark {

void sgd_reference(const Descriptor& d, const Launch& l) {
  constexpr size_t kFirst = Sgd::kScalars;
  const auto& op = as<Sgd>(d);
  by_dtype(l.inputs[kFirst].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T norm = present(l.inputs, 0) ? *l.inputs[0].as<T>() : T(0);
    if (!std::isfinite(norm)) return;
    const int64_t n = op.parameters(l.inputs);
    const T lr = op.rate<T>(l.inputs), momentum = static_cast<T>(op.momentum);
    for (int64_t p = 0; p < n; p++)
      for (int64_t i = 0; i < l.inputs[kFirst + p].layout.stored_elements(); i++) {
        T& w = l.inputs[kFirst + p].as<T>()[i];
        const T g = static_cast<T>(op.clipping<T>(l.inputs)) * l.inputs[kFirst + n + p].as<T>()[i] +
                    static_cast<T>(op.weight_decay) * w;
        T step = g;
        if (op.momentum > 0) {
          T& v = l.inputs[kFirst + 2 * n + p].as<T>()[i];
          v = momentum * v + g;
          step = op.nesterov ? g + momentum * v : v;
        }
        w -= lr * step;
      }
  });
}

}  // namespace voxelspark
