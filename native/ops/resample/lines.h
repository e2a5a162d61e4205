// Volumes seen as lines along one axis, and their way into and out of tiles of kLines lines side by side.
#pragma once
#include <cstdint>

#include "core/shape.h"
#include "ops/resample/row.h"

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

// Copies `count` lines, starting with number `first`, between memory and a tile whose row `pad` is sample 0.
template <class Move>
void each_sample(const Lines& l, int64_t length, int64_t first, int64_t count, const Move& move) {
  int64_t base[kLines];
  for (int64_t i = 0; i < count; i++) base[i] = l.base(first + i, length);
  if (l.inner >= count && base[count - 1] - base[0] == count - 1) {
    for (int64_t k = 0; k < length; k++)
      for (int64_t i = 0; i < count; i++) move(base[0] + i + k * l.inner, k, i);
    return;
  }
  for (int64_t i = 0; i < count; i++)
    for (int64_t k = 0; k < length; k++) move(base[i] + k * l.inner, k, i);
}

inline void sizes_of(Int3 v, int64_t out[3]) {
  out[0] = v.z;
  out[1] = v.y;
  out[2] = v.x;
}

}  // namespace voxelspark
