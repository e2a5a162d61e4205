// The index arithmetic of affine resampling: where an output voxel reads, and which output voxels may read an input
// voxel. The same taps either way, so that the gradient is exactly the transpose.
#pragma once
#include <cmath>

#include "device/cuda_grid.cuh"
#include "ops/resample/spline.h"

namespace voxelspark {

// Taps of one axis for a coordinate; order 0, 1 or 3.
template <int kOrder>
struct AxisRead {
  static constexpr int kTaps = kOrder + 1;
  int at[kTaps];
  float weight[kTaps];

  // Whether the coordinate lies inside; within 1e-9 of the border it counts as on it.
  __host__ __device__ bool set(double coordinate, int n) {
    const double top = n - 1;
    const bool inside = coordinate >= -1e-9 && coordinate <= top + 1e-9;
    const double c = coordinate > 0 ? (coordinate < top ? coordinate : top) : 0;
    const int below = static_cast<int>(kOrder == 0 ? c + 0.5 : c);
    const float t = static_cast<float>(c - below);
    if constexpr (kOrder == 0) weight[0] = 1;
    if constexpr (kOrder == 1) {
      weight[0] = 1 - t;
      weight[1] = t;
    }
    if constexpr (kOrder == 3) cubic_weights(t, weight);
    for (int i = 0; i < kTaps; i++) {
      const int k = below + i - (kOrder == 3);
      at[i] = k >= 0 && k < n ? k : static_cast<int>(mirrored(k, n));
    }
    return inside;
  }
  // Of all taps that read voxel k.
  __host__ __device__ float weight_of(int k) const {
    float sum = 0;
    for (int i = 0; i < kTaps; i++)
      if (at[i] == k) sum += weight[i];
    return sum;
  }
};

// One sample of it: output voxel p reads at M (p, 1).
struct AffineView {
  double m[12];
  Extent from, to;  // sizes of input and output

  __host__ __device__ double start(int axis, int z, int y) const {
    return m[axis * 4] * z + m[axis * 4 + 1] * y + m[axis * 4 + 3];
  }
  template <int kOrder>
  __host__ __device__ bool read(Voxel p, AxisRead<kOrder>& z, AxisRead<kOrder>& y, AxisRead<kOrder>& x) const {
    const bool in_z = z.set(start(0, p.z, p.y) + p.x * m[2], from.z);
    const bool in_y = y.set(start(1, p.z, p.y) + p.x * m[6], from.y);
    return x.set(start(2, p.z, p.y) + p.x * m[10], from.x) && in_y && in_z;
  }
};

inline AffineView affine_view(const double* matrix, Int3 from, Int3 to) {
  AffineView view{{}, extent(from), extent(to)};
  for (int i = 0; i < 12; i++) view.m[i] = matrix[i];
  return view;
}

// Whole numbers from `first` up to `last`.
struct Span {
  int first, last;
};

// Which outputs may read an input voxel: those in the box that the inverse of M makes of the voxel's surroundings; all
// where M has no inverse. Of their rows, the voxels whose places come near on every axis.
struct AffineReaders {
  AffineView view;
  double reach;  // of a voxel along each axis
  bool bounded;
  double inverse[9], half[3], per_step[3];  // half the box; 1 / M's last column, 0 where that is 0

  __host__ __device__ static Span clipped(double low, double high, int n) {
    constexpr double kSlack = 1e-6;  // rounding must not lose a voxel; one too many costs time only
    low = low - kSlack > 0 ? ceil(low - kSlack) : 0;
    high = high + kSlack < n - 1 ? floor(high + kSlack) : n - 1;
    if (!(low <= high)) return {0, -1};
    return {static_cast<int>(low), static_cast<int>(high)};
  }
  // Candidates along an axis of the output for input voxel v.
  __host__ __device__ Span along(int axis, Voxel v) const {
    const int n = axis == 0 ? view.to.z : axis == 1 ? view.to.y : view.to.x;
    if (!bounded) return {0, n - 1};
    const double centre = inverse[axis * 3] * (v.z - view.m[3]) + inverse[axis * 3 + 1] * (v.y - view.m[7]) +
                          inverse[axis * 3 + 2] * (v.x - view.m[11]);
    return clipped(centre - half[axis], centre + half[axis], n);
  }
  // Of these those of row (z, y) that come within reach of v.
  __host__ __device__ Span in_row(Span x, int z, int y, Voxel v) const {
    for (int a = 0; a < 3; a++) {
      const double away = (a == 0 ? v.z : a == 1 ? v.y : v.x) - view.start(a, z, y), step = per_step[a];
      if (step == 0) {
        if (fabs(away) > reach + 1e-6) return {0, -1};
        continue;
      }
      const double p = (away - reach) * step, q = (away + reach) * step;
      const Span s = clipped(p < q ? p : q, p < q ? q : p, view.to.x);
      x = {s.first > x.first ? s.first : x.first, s.last < x.last ? s.last : x.last};
    }
    return x;
  }
};

inline AffineReaders readers_of(const AffineView& view, int64_t order) {
  const double* m = view.m;
  const double cofactor[9] = {m[5] * m[10] - m[6] * m[9], m[2] * m[9] - m[1] * m[10], m[1] * m[6] - m[2] * m[5],
                              m[6] * m[8] - m[4] * m[10], m[0] * m[10] - m[2] * m[8], m[2] * m[4] - m[0] * m[6],
                              m[4] * m[9] - m[5] * m[8],  m[1] * m[8] - m[0] * m[9],  m[0] * m[5] - m[1] * m[4]};
  const double determinant = m[0] * cofactor[0] + m[1] * cofactor[3] + m[2] * cofactor[6];
  double size = 1;
  for (int row = 0; row < 3; row++) size *= std::hypot(m[row * 4], m[row * 4 + 1], m[row * 4 + 2]);
  AffineReaders r{view, order == 0 ? 0.5 : order == 1 ? 1.0 : 2.0, std::abs(determinant) > 1e-6 * size, {}, {}, {}};
  for (int i = 0; i < 9 && r.bounded; i++) {
    r.inverse[i] = cofactor[i] / determinant;
    r.half[i / 3] += r.reach * std::abs(r.inverse[i]);
  }
  for (int a = 0; a < 3; a++) r.per_step[a] = std::abs(m[a * 4 + 2]) > 1e-9 ? 1 / m[a * 4 + 2] : 0;
  return r;
}

}  // namespace voxelspark
