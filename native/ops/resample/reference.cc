// Oracle: spline coefficients by the explicit two-sided impulse response of the prefilter instead of a
// recursion, and every output voxel as the plain sum over its taps.
#include <algorithm>

#include "ops/resample/oracle.h"
#include "ops/resample/resample.h"

namespace voxelspark {

namespace {

template <class T>
void clip(std::vector<T>& y, const int64_t size[3], const std::vector<T>& x, const int64_t from[3], int64_t channels,
          int64_t axis) {
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
    AffineTaps where;
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
            double place[3];
            for (int a = 0; a < 3; a++) place[a] = m[a * 4] * z + m[a * 4 + 1] * y + m[a * 4 + 2] * c + m[a * 4 + 3];
            const bool inside = where.place(place, n, d.order);
            for (int64_t k = 0; k < channels; k++) {
              double sum = 0;
              if (inside)
                where.each(n, [&](int64_t v, double w) { sum += w * static_cast<double>(x[v * channels + k]); });
              out[k] = inside ? static_cast<T>(sum) : static_cast<T>(d.outside);
            }
          }
    }
  });
}

}  // namespace voxelspark
