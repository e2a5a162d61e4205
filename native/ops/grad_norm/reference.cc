#include <cmath>

#include "ops/grad_norm/grad_norm.h"

namespace voxelspark {

void grad_norm_reference(const Descriptor& d, const Launch& l) {
  by_dtype(l.outputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    double sum = 0;
    for (const Tensor& t : GradNorm::tensors(l.inputs))
      for (int64_t i = 0; i < t.layout.stored_elements(); i++) sum += double(t.as<T>()[i]) * t.as<T>()[i];
    *l.outputs[0].as<T>() = static_cast<T>(std::sqrt(sum) / as<GradNorm>(d).scale<T>(l.inputs));
  });
}

}  // namespace voxelspark
