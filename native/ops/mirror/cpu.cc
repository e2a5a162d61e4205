#include <algorithm>

#include "device/parallel.h"
#include "ops/mirror/mirror.h"

namespace voxelspark {

DEFINE_KERNEL(mirror, Mirror)

namespace {

// Rows of n voxels change places; with `turned` each is read backwards. A row is its own partner or disjoint from it.
void exchange(float* a, float* b, int64_t n, int64_t c, bool turned) {
  if (!turned) {
    if (a != b) std::swap_ranges(a, a + n * c, b);
  } else if (a == b) {
    for (int64_t low = 0, high = n - 1; low < high; low++, high--)
      std::swap_ranges(a + low * c, a + (low + 1) * c, a + high * c);
  } else if (c == 1) {
    for (int64_t i = 0; i < n; i++) std::swap(a[i], b[n - 1 - i]);
  } else {
    for (int64_t i = 0; i < n; i++) std::swap_ranges(a + i * c, a + (i + 1) * c, b + (n - 1 - i) * c);
  }
}

}  // namespace

void mirror_cpu(const Descriptor& d, const Launch& l) {
  const auto& op = as<Mirror>(d);
  const Int3 size = l.inputs[0].layout.shape.size();
  const int64_t c = l.inputs[0].layout.channels(), row = size.x * c;
  if (op.axes == Int3{0, 0, 0}) return;
  // Of two rows that are each other's partners the one that comes first does the work.
  parallel_items(l.inputs[0].layout.shape.samples() * size.z * size.y, row, [&](int64_t i) {
    const int64_t n = i / (size.z * size.y);
    const Int3 at = {i / size.y % size.z, i % size.y, 0}, partner = op.partner(at, {size.z, size.y, 1});
    const int64_t mine = at.z * size.y + at.y, other = partner.z * size.y + partner.y;
    float* x = l.inputs[0].f32() + n * size.product() * c;
    if (mine <= other) exchange(x + mine * row, x + other * row, size.x, c, op.axes.x == 1);
  });
}

}  // namespace voxelspark
