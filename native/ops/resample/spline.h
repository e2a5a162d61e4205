// One-dimensional interpolation: where an output sample reads and with which weights, and the cubic B-spline
// prefilter (Unser, "Splines: a perfect fit for signal and image processing", 1999). Shared by CPU and
// reference.
#pragma once
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/host_device.h"
#include "ops/resample/row.h"

namespace voxelspark {

// Weights of the four B-splines around t in [0, 1): at -1, 0, 1, 2.
template <class T>
HOST_DEVICE inline void cubic_weights(T t, T w[4]) {
  const T u = 1 - t;
  w[0] = u * u * u / 6;
  w[1] = (4 - 3 * t * t * (2 - t)) / 6;
  w[2] = (4 - 3 * u * u * (2 - u)) / 6;
  w[3] = t * t * t / 6;
}

// Taps of one resized axis. Samples are counted on the input line padded by kPad edge values on either side.
constexpr int64_t kPad = 2;
struct AxisTaps {
  int64_t taps = 1;            // 1, 2 or 4 for order 0, 1, 3
  std::vector<int64_t> first;  // per output sample
  std::vector<double> weight;  // per output sample and tap
};

inline AxisTaps axis_taps(int64_t n, int64_t m, int64_t order) {
  AxisTaps a;
  a.taps = order == 0 ? 1 : order == 1 ? 2 : 4;
  const double scale = static_cast<double>(n) / static_cast<double>(m);
  for (int64_t i = 0; i < m; i++) {
    const double at = (static_cast<double>(i) + 0.5) * scale - 0.5;
    if (order == 0) {
      const int64_t nearest = static_cast<int64_t>(std::floor(at + 0.5));
      a.first.push_back(kPad + (nearest < 0 ? 0 : nearest >= n ? n - 1 : nearest));
      a.weight.push_back(1);
      continue;
    }
    const double below = std::floor(at), t = at - below;
    double w[4] = {1 - t, t, 0, 0};
    if (order == 3) cubic_weights(t, w);
    a.first.push_back(kPad + static_cast<int64_t>(below) - (order == 3 ? 1 : 0));
    a.weight.insert(a.weight.end(), w, w + a.taps);
  }
  return a;
}

// Index k of a line of n samples mirrored at the middle of its end samples: … 2 1 | 0 1 2 … n-1 | n-2 …
HOST_DEVICE inline int64_t mirrored(int64_t k, int64_t n) {
  if (n == 1) return 0;
  const int64_t period = 2 * (n - 1);
  k %= period;
  if (k < 0) k += period;
  return k < n ? k : period - k;
}

// Where one output voxel of an affine resampling reads: taps and weights per axis; false if outside of the volume.
// Coordinates within 1e-9 of the border count as on it.
struct AffineTaps {
  int taps;
  int64_t at[3][4];
  double w[3][4];

  bool place(const double coordinate[3], const int64_t n[3], int64_t order) {
    taps = order == 0 ? 1 : order == 1 ? 2 : 4;
    bool inside = true;
    for (int a = 0; a < 3; a++) {
      const double top = static_cast<double>(n[a] - 1);
      inside = inside && coordinate[a] >= -1e-9 && coordinate[a] <= top + 1e-9;
      const double c = coordinate[a] < 0 ? 0 : coordinate[a] > top ? top : coordinate[a];
      const double below = std::floor(order == 0 ? c + 0.5 : c), t = c - below;
      w[a][0] = order == 0 ? 1 : 1 - t;
      w[a][1] = t;
      if (order == 3) cubic_weights(t, w[a]);
      for (int k = 0; k < taps; k++) at[a][k] = mirrored(static_cast<int64_t>(below) + k - (order == 3), n[a]);
    }
    return inside;
  }

  // Calls visit(voxel number, weight) for every tap.
  template <class Visit>
  void each(const int64_t n[3], const Visit& visit) const {
    for (int p = 0; p < taps; p++)
      for (int q = 0; q < taps; q++)
        for (int r = 0; r < taps; r++)
          visit((at[0][p] * n[1] + at[1][q]) * n[2] + at[2][r], w[0][p] * w[1][q] * w[2][r]);
  }
};

}  // namespace voxelspark
