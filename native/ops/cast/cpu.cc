// The CPU has one element type, so all there is to do is a copy.
#include <algorithm>

#include "device/parallel.h"
#include "ops/cast/cast.h"

namespace voxelspark {

DEFINE_KERNEL(cast, Cast)

void cast_cpu(const Descriptor&, const Launch& l) {
  const float* x = l.inputs[0].f32();
  float* y = l.outputs[0].f32();
  parallel_ranges(l.outputs[0].layout.stored_elements(), 1 << 18,
                  [&](int64_t a, int64_t b) { std::copy(x + a, x + b, y + a); });
}

}  // namespace voxelspark
