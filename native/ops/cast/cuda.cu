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
  int64_t elements;

  __device__ void operator()(int64_t i) const {
    const int64_t first = kElements * i, left = elements - first;
    store_up_to<kElements>(left, y + first, load_up_to<kElements>(left, x + first));
  }
};

}  // namespace

void cast_cuda(const Descriptor&, const Launch& l) {
  const Tensor &x = l.inputs[0], &y = l.outputs[0];
  by_element(x.layout.dtype, [&](auto from) {
    by_element(y.layout.dtype, [&](auto to) {
      using Kernel = Convert<decltype(from), decltype(to)>;
      const int64_t elements = y.layout.stored_elements();
      const Kernel convert{x.as<decltype(from)>(), y.as<decltype(to)>(), elements};
      launch_elementwise((elements + Kernel::kElements - 1) / Kernel::kElements, convert, "cast");
    });
  });
}

}  // namespace voxelspark
