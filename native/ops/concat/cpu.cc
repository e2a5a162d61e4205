#include <cstring>

#include "device/parallel.h"
#include "ops/concat/concat.h"

namespace voxelspark {

DEFINE_KERNEL(concat_forward, Concat)
DEFINE_KERNEL(concat_backward, ConcatBackward)

// Calls move(part, its voxel, joined voxel, bytes) for each voxel of each part.
template <class Move>
static void each_part(const std::vector<Tensor>& parts, const Tensor& joined, const Move& move) {
  const int64_t c = joined.layout.channels(), grain = c < (1 << 14) ? (1 << 14) / c : 1;
  parallel_ranges(joined.layout.voxels(), grain, [&](int64_t begin, int64_t end) {
    int64_t offset = 0;
    for (const Tensor& part : parts) {
      const int64_t width = part.layout.channels();
      for (int64_t v = begin; v < end; v++)
        move(part.f32() + v * width, joined.f32() + v * c + offset, width * sizeof(float));
      offset += width;
    }
  });
}

void concat_forward_cpu(const Descriptor&, const Launch& l) {
  each_part(l.inputs, l.outputs[0], [](float* part, float* joined, size_t n) { std::memcpy(joined, part, n); });
}

void concat_backward_cpu(const Descriptor&, const Launch& l) {
  each_part(l.outputs, l.inputs[0], [](float* part, float* joined, size_t n) { std::memcpy(part, joined, n); });
}

}  // namespace voxelspark
