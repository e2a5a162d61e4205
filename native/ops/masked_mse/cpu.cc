#include <cstring>

#include "device/parallel.h"
#include "ops/masked_mse/masked_mse.h"
#include "ops/masked_mse/simd.h"
#include "ops/reduce/simd.h"

namespace voxelspark {

DEFINE_KERNEL(masked_mse_forward, MaskedMse)
DEFINE_KERNEL(masked_mse_backward, MaskedMseBackward)

// Calls run(first element, elements, counts) for the runs of equal visibility of each row in a (sample, z)
// plane.
template <class Run>
static void each_run(const MaskedMse& op, const Shape& s, int64_t plane, const Run& run) {
  const Int3 size = s.size(), cells = op.cells(), edge = size / cells;
  const int64_t n = plane / size.z, z = plane % size.z, c = s.channels(), row = size.x * c;
  if (!op.mask) return run(plane * size.y * row, size.y * row, true);
  for (int64_t y = 0; y < size.y; y++)
    for (int64_t k = 0, next; k < cells.x; k = next) {
      const bool counts = op.counts(n, {z / edge.z, y / edge.y, k});
      for (next = k + 1; next < cells.x && op.counts(n, {z / edge.z, y / edge.y, next}) == counts;) next++;
      run((plane * size.y + y) * row + k * edge.x * c, (next - k) * edge.x * c, counts);
    }
}

static int64_t plane_elements(const Shape& s) { return s.size().y * s.size().x * s.channels(); }

void masked_mse_forward_cpu(const Descriptor& d, const Launch& l) {
  const auto& op = as<MaskedMse>(d);
  const Layout& layout = l.inputs[0].layout;
  const float *prediction = l.inputs[0].f32(), *target = l.inputs[1].f32();
  std::vector<double> sums(layout.shape.samples() * layout.shape.size().z);
  auto sum = simd_squared_difference_sum();
  parallel_items(static_cast<int64_t>(sums.size()), plane_elements(layout.shape), [&](int64_t plane) {
    each_run(op, layout.shape, plane, [&](int64_t first, int64_t n, bool counts) {
      if (counts) sums[plane] += sum(prediction + first, target + first, n);
    });
  });
  double total = 0;
  for (double s : sums) total += s;
  const int64_t count = op.count(layout);
  *l.outputs[0].f32() = count ? static_cast<float>(total / count) : 0.0f;
}

void masked_mse_backward_cpu(const Descriptor& d, const Launch& l) {
  const auto& op = as<MaskedMseBackward>(d);
  const Layout& layout = l.inputs[0].layout;
  const float *prediction = l.inputs[0].f32(), *target = l.inputs[1].f32();
  const int64_t count = op.count(layout);
  const float scale = count ? static_cast<float>(2.0 * *l.inputs[2].f32() / count) : 0.0f;
  auto difference = simd_scaled_difference();
  parallel_items(layout.shape.samples() * layout.shape.size().z, plane_elements(layout.shape), [&](int64_t plane) {
    each_run(op, layout.shape, plane, [&](int64_t first, int64_t n, bool counts) {
      for (size_t i = 0; i < l.outputs.size(); i++) {
        float* to = l.outputs[i].f32() + first;
        if (counts) difference(prediction + first, target + first, i ? -scale : scale, to, n);
        else std::memset(to, 0, n * sizeof(float));
      }
    });
  });
}

}  // namespace voxelspark
