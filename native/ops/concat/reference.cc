#include "ops/concat/concat.h"

namespace voxelspark {

template <class Move>
static void each_part(const std::vector<Tensor>& parts, const Tensor& joined, const Move& move) {
  by_dtype(joined.layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const int64_t width = joined.layout.channels();
    for (int64_t v = 0; v < joined.layout.voxels(); v++) {
      T* at = joined.as<T>() + v * width;
      for (const Tensor& part : parts) {
        const int64_t c = part.layout.channels();
        for (int64_t k = 0; k < c; k++) move(part.as<T>()[v * c + k], *at++);
      }
    }
  });
}

void concat_forward_reference(const Descriptor&, const Launch& l) {
  each_part(l.inputs, l.outputs[0], [](auto& part, auto& joined) { joined = part; });
}

void concat_backward_reference(const Descriptor&, const Launch& l) {
  each_part(l.outputs, l.inputs[0], [](auto& part, auto& joined) { part = joined; });
}

}  // namespace voxelspark
