// One thread eight elements, where rounding happens in the device's own conversion.
#include "device/cuda.cuh"
#include "ops/cast/cast.h"

namespace voxelspark {

namespace {

template <class From, class To>
struct Convert {
  static constexpr int kElements = 8;
  const From* x;
  To* y;

  __device__ void operator()(int64_t i) const {
    store<kElements>(y + kElements * i, load<kElements>(x + kElements * i));
  }
};

}  // namespace

// The pool rounds sizes up to 512 bytes, so the last group may reach beyond the tensor but not its memory.
void cast_cuda(const Descriptor&, const Launch& l) {
  const Tensor &x = l.inputs[0], &y = l.outputs[0];
  by_element(x.layout.dtype, [&](auto from) {
    by_element(y.layout.dtype, [&](auto to) {
      using Kernel = Convert<decltype(from), decltype(to)>;
      const Kernel convert{x.as<decltype(from)>(), y.as<decltype(to)>()};
      launch_elementwise((y.layout.stored_elements() + Kernel::kElements - 1) / Kernel::kElements, convert, "cast");
    });
  });
}

}  // namespace voxelspark
