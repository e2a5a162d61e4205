// The order in which resample_separable resizes axes: shrinking ones first, to work on less; the clip axis last.
#pragma once
#include "ops/resample/lines.h"
#include "ops/resample/resample.h"

namespace voxelspark {

struct Passes {
  int count = 0;
  int axis[3];
  Passes(const ResampleSeparable& d, Int3 from) {
    int64_t n[3], m[3];
    sizes_of(from, n);
    sizes_of(d.size, m);
    for (int a = 0; a < 3; a++)
      if (n[a] != m[a]) axis[count++] = a;
    std::stable_sort(axis, axis + count, [&](int a, int b) {
      if ((a == d.clip_axis) != (b == d.clip_axis)) return b == d.clip_axis;
      return m[a] * n[b] < m[b] * n[a];
    });
  }
  // Elements of the largest intermediate result.
  int64_t largest(const Shape& from, Int3 size) const {
    int64_t now[3], to[3], most = 0;
    sizes_of(from.size(), now);
    sizes_of(size, to);
    for (int p = 0; p + 1 < count; p++) {
      now[axis[p]] = to[axis[p]];
      most = std::max(most, from.samples() * from.channels() * now[0] * now[1] * now[2]);
    }
    return most;
  }
};

}  // namespace voxelspark
