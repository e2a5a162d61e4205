// Where a run of voxels of an output row reads in linear affine resampling, for `*_simd.cc` files: the lowest of the
// eight neighbours, the fractions, and whether the place lies inside.
#pragma once
#include "device/simd.h"
#include "ops/resample/row.h"

namespace voxelspark {
SIMD_NAMESPACE(places) {

constexpr int kRun = 64;

struct Places {
  int32_t at[kRun];
  float t[3][kRun];
  int32_t inside[kRun];
};

// Steps from a voxel to its neighbour along each axis, none along an axis of one voxel.
struct Steps {
  int32_t z, y, x;
};
static VS_INLINE Steps steps_of(const int64_t size[3]) {
  return {size[0] > 1 ? static_cast<int32_t>(size[1] * size[2]) : 0, size[1] > 1 ? static_cast<int32_t>(size[2]) : 0,
          size[2] > 1 ? 1 : 0};
}

static VS_INLINE void find_places(const LinearRow& r, int64_t first, Places& p) {
  constexpr double slack = 1e-9;  // rounding of the coordinates must not push a border voxel outside
  const int32_t stride[3] = {static_cast<int32_t>(r.size[1] * r.size[2]), static_cast<int32_t>(r.size[2]), 1};
  for (int i = 0; i < kRun; i++) {
    p.at[i] = 0;
    p.inside[i] = 1;
  }
  for (int a = 0; a < 3; a++) {
    const double start = r.start[a], step = r.step[a], top = static_cast<double>(r.size[a] - 1);
    const int32_t last = r.size[a] > 1 ? static_cast<int32_t>(r.size[a] - 2) : 0;
    for (int i = 0; i < kRun; i++) {
      const double c = start + static_cast<double>(static_cast<int32_t>(first) + i) * step;
      p.inside[i] &= (c >= -slack) & (c <= top + slack);
      const double low = c < 0 ? 0 : c, place = low > top ? top : low;
      const int32_t whole = static_cast<int32_t>(place), k = whole > last ? last : whole;
      p.t[a][i] = static_cast<float>(place - static_cast<double>(k));
      p.at[i] += k * stride[a];
    }
  }
}

}  // SIMD_NAMESPACE(places)
using namespace SIMD(places);
}  // namespace voxelspark
