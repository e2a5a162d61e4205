// What the reference kernels are made of: plain definitions, one value at a time.
#pragma once
#include <algorithm>
#include <functional>

#include "ops/resample/spline.h"

namespace voxelspark {

// Sample k of a line that goes on with its edge values, or is mirrored.
template <class T>
T extended(const std::vector<T>& line, int64_t k, bool edge) {
  const int64_t n = static_cast<int64_t>(line.size());
  return line[edge ? std::min(std::max(k, int64_t{0}), n - 1) : mirrored(k, n)];
}

// c[k] = sum_j h(k - j) s[j] with h(j) = 6 z / (z^2 - 1) z^|j|
template <class T>
T coefficient(const std::vector<T>& line, int64_t k, bool edge) {
  double sum = 0, h = 6 * kPole / (kPole * kPole - 1);
  for (int64_t j = 0; j < 60; j++, h *= kPole)
    sum += h * (extended(line, k + j, edge) + (j ? extended(line, k - j, edge) : T(0)));
  return static_cast<T>(sum);
}

// Replaces every line along `axis` of a volume [z][y][x][C] by map(line).
template <class T>
std::vector<T> map_lines(const std::vector<T>& x, int64_t size[3], int64_t channels, int axis,
                         const std::function<std::vector<T>(const std::vector<T>&)>& map, int64_t length) {
  int64_t outer = 1, inner = channels;
  for (int a = 0; a < axis; a++) outer *= size[a];
  for (int a = axis + 1; a < 3; a++) inner *= size[a];
  std::vector<T> y(outer * length * inner), line(size[axis]);
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = 0; i < inner; i++) {
      for (int64_t k = 0; k < size[axis]; k++) line[k] = x[(o * size[axis] + k) * inner + i];
      const std::vector<T> mapped = map(line);
      for (int64_t k = 0; k < length; k++) y[(o * length + k) * inner + i] = mapped[k];
    }
  size[axis] = length;
  return y;
}

template <class T>
std::vector<T> resized(const std::vector<T>& line, int64_t m, int64_t order) {
  const int64_t n = static_cast<int64_t>(line.size());
  if (n == m) return line;
  std::vector<T> out(m);
  for (int64_t i = 0; i < m; i++) {
    const double at = (i + 0.5) * (static_cast<double>(n) / m) - 0.5;
    const int64_t below = static_cast<int64_t>(std::floor(order == 0 ? at + 0.5 : at));
    const double t = at - below;
    if (order == 0) out[i] = extended(line, below, true);
    if (order == 1)
      out[i] = static_cast<T>((1 - t) * extended(line, below, true) + t * extended(line, below + 1, true));
    if (order == 3) {
      double w[4], sum = 0;
      cubic_weights(t, w);
      for (int k = 0; k < 4; k++) sum += w[k] * coefficient(line, below - 1 + k, true);
      out[i] = static_cast<T>(sum);
    }
  }
  return out;
}

// The line map x -> A x as a matrix [m][n], from its effect on unit vectors; returns A^T g.
template <class T>
std::vector<T> transposed(const std::function<std::vector<T>(const std::vector<T>&)>& map, int64_t n,
                          const std::vector<T>& g) {
  std::vector<T> result(n), unit(n);
  for (int64_t j = 0; j < n; j++) {
    unit[j] = 1;
    const std::vector<T> column = map(unit);
    unit[j] = 0;
    double sum = 0;
    for (size_t i = 0; i < g.size(); i++) sum += static_cast<double>(column[i]) * static_cast<double>(g[i]);
    result[j] = static_cast<T>(sum);
  }
  return result;
}

}  // namespace voxelspark
