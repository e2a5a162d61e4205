// Oracle: spline coefficients by the explicit two-sided impulse response of the prefilter instead of a
// recursion, and every output voxel as the plain sum over its taps.
#include <algorithm>
#include <functional>

#include "ops/resample/resample.h"
#include "ops/resample/spline.h"

namespace voxelspark {

namespace {

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

template <class T>
void clip(std::vector<T>& y, const int64_t size[3], const std::vector<T>& x, const int64_t from[3],
          int64_t channels, int64_t axis) {
  const int64_t slices = axis < 0 ? 1 : size[axis];
  std::vector<T> low(slices * channels, INFINITY), high(slices * channels, -INFINITY);
  auto each = [&](auto& data, const int64_t n[3], auto use) {
    int64_t at = 0, p[3];
    for (p[0] = 0; p[0] < n[0]; p[0]++)
      for (p[1] = 0; p[1] < n[1]; p[1]++)
        for (p[2] = 0; p[2] < n[2]; p[2]++)
          for (int64_t c = 0; c < channels; c++) use(data[at++], (axis < 0 ? 0 : p[axis]) * channels + c);
  };
  each(x, from, [&](const T& v, int64_t r) { low[r] = std::min(low[r], v), high[r] = std::max(high[r], v); });
  each(y, size, [&](T& v, int64_t r) { v = std::min(std::max(v, low[r]), high[r]); });
}

}  // namespace

void resample_separable_reference(const Descriptor& descriptor, const Launch& l) {
  const auto& d = as<ResampleSeparable>(descriptor);
  by_dtype(l.outputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Shape& s = l.inputs[0].layout.shape;
    const int64_t volume = s.elements() / s.samples(), to[3] = {d.size.z, d.size.y, d.size.x};
    const int64_t from[3] = {s[2], s[3], s[4]}, orders[3] = {d.order.z, d.order.y, d.order.x};
    const bool changed = d.size != s.size();
    for (int64_t n = 0; n < s.samples(); n++) {
      const T* start = l.inputs[0].as<T>() + n * volume;
      const std::vector<T> x(start, start + volume);
      std::vector<T> y = x;
      int64_t size[3] = {from[0], from[1], from[2]};
      auto resize = [&](int axis) {
        auto map = [&](const std::vector<T>& line) { return resized(line, to[axis], orders[axis]); };
        y = map_lines<T>(y, size, s.channels(), axis, map, to[axis]);
      };
      for (int axis = 0; axis < 3; axis++)
        if (axis != d.clip_axis) resize(axis);
      if (d.clip && changed) clip(y, size, x, from, s.channels(), d.clip_axis);
      if (d.clip_axis >= 0) resize(static_cast<int>(d.clip_axis));
      std::copy(y.begin(), y.end(), l.outputs[0].as<T>() + n * static_cast<int64_t>(y.size()));
    }
  });
}

void resample_affine_reference(const Descriptor& descriptor, const Launch& l) {
  const auto& d = as<ResampleAffine>(descriptor);
  by_dtype(l.outputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Shape& s = l.inputs[0].layout.shape;
    const int64_t channels = s.channels(), volume = s.elements() / s.samples(), n[3] = {s[2], s[3], s[4]};
    const int taps = d.order == 0 ? 1 : d.order == 1 ? 2 : 4;
    T* out = l.outputs[0].as<T>();
    for (int64_t sample = 0; sample < s.samples(); sample++) {
      const T* start = l.inputs[0].as<T>() + sample * volume;
      std::vector<T> x(start, start + volume);
      int64_t size[3] = {n[0], n[1], n[2]};
      for (int axis = 0; axis < 3 && d.order == 3; axis++) {
        auto map = [&](const std::vector<T>& line) {
          std::vector<T> c(line.size());
          for (int64_t k = 0; k < static_cast<int64_t>(c.size()); k++) c[k] = coefficient(line, k, false);
          return c;
        };
        x = map_lines<T>(x, size, channels, axis, map, size[axis]);
      }
      const double* m = d.matrix_of(sample);
      for (int64_t z = 0; z < d.size.z; z++)
        for (int64_t y = 0; y < d.size.y; y++)
          for (int64_t c = 0; c < d.size.x; c++, out += channels) {
            double w[3][4];
            int64_t first[3];
            bool inside = true;
            for (int a = 0; a < 3; a++) {
              const double at = m[a * 4] * z + m[a * 4 + 1] * y + m[a * 4 + 2] * c + m[a * 4 + 3];
              inside = inside && at >= -1e-9 && at <= n[a] - 1 + 1e-9;
              const double place = std::min(std::max(at, 0.0), static_cast<double>(n[a] - 1));
              const double below = std::floor(d.order == 0 ? place + 0.5 : place), t = place - below;
              first[a] = static_cast<int64_t>(below) - (d.order == 3);
              w[a][0] = d.order == 0 ? 1 : 1 - t;
              w[a][1] = t;
              if (d.order == 3) cubic_weights(t, w[a]);
            }
            for (int64_t k = 0; k < channels; k++) {
              double sum = 0;
              for (int p = 0; inside && p < taps * taps * taps; p++) {
                const int t[3] = {p / (taps * taps), p / taps % taps, p % taps};
                int64_t at = 0;
                for (int a = 0; a < 3; a++) at = at * n[a] + mirrored(first[a] + t[a], n[a]);
                sum += w[0][t[0]] * w[1][t[1]] * w[2][t[2]] * static_cast<double>(x[at * channels + k]);
              }
              out[k] = inside ? static_cast<T>(sum) : static_cast<T>(d.outside);
            }
          }
    }
  });
}

}  // namespace voxelspark
