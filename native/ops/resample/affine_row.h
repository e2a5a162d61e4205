// Rows of output voxels in affine resampling.
#pragma once
#include <cstdint>

#include "ops/resample/row.h"

namespace voxelspark {

// Row (z, y) of the output begins and goes on where the 3x4 matrix m says.
inline void place_row(AffineRow& r, const double* m, int64_t z, int64_t y) {
  for (int a = 0; a < 3; a++) {
    r.start[a] = m[a * 4] * static_cast<double>(z) + m[a * 4 + 1] * static_cast<double>(y) + m[a * 4 + 3];
    r.step[a] = m[a * 4 + 2];
  }
}

}  // namespace voxelspark
