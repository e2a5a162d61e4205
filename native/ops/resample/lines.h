// Volumes seen as lines along one axis.
#pragma once
#include <cstdint>

#include "core/shape.h"

namespace voxelspark {

// A tensor seen along one axis: `outer` × `n` × `inner`, n being the axis.
struct Lines {
  int64_t outer, n, inner;
  int64_t count() const { return outer * inner; }
  int64_t base(int64_t line, int64_t length) const { return line / inner * length * inner + line % inner; }
};

inline Lines lines_of(int64_t samples, int64_t channels, const int64_t size[3], int axis) {
  Lines l{samples, size[axis], channels};
  for (int a = 0; a < axis; a++) l.outer *= size[a];
  for (int a = axis + 1; a < 3; a++) l.inner *= size[a];
  return l;
}

inline void sizes_of(Int3 v, int64_t out[3]) {
  out[0] = v.z;
  out[1] = v.y;
  out[2] = v.x;
}

}  // namespace voxelspark
