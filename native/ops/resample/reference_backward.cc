// Adjoints by transposing the matrix of each line map.
#include "ops/resample/oracle.h"
#include "ops/resample/resample.h"

namespace voxelspark {

void resample_separable_backward_reference(const Descriptor& descriptor, const Launch& l) {
  const auto& d = as<ResampleSeparableBackward>(descriptor);
  by_dtype(l.outputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Shape& s = l.inputs[0].layout.shape;
    const int64_t volume = s.elements() / s.samples(), to[3] = {d.from.z, d.from.y, d.from.x};
    const int64_t orders[3] = {d.order.z, d.order.y, d.order.x};
    T* out = l.outputs[0].as<T>();
    for (int64_t n = 0; n < s.samples(); n++) {
      const T* start = l.inputs[0].as<T>() + n * volume;
      std::vector<T> g(start, start + volume);
      int64_t size[3] = {s[2], s[3], s[4]};
      for (int axis = 0; axis < 3; axis++) {
        const int64_t m = size[axis];
        auto forward = [&](const std::vector<T>& line) { return resized(line, m, orders[axis]); };
        auto map = [&](const std::vector<T>& line) { return transposed<T>(forward, to[axis], line); };
        g = map_lines<T>(g, size, s.channels(), axis, map, to[axis]);
      }
      out = std::copy(g.begin(), g.end(), out);
    }
  });
}

void resample_affine_backward_reference(const Descriptor& descriptor, const Launch& l) {
  const auto& d = as<ResampleAffineBackward>(descriptor);
  by_dtype(l.outputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Shape& s = l.inputs[0].layout.shape;
    const int64_t channels = s.channels(), n[3] = {d.from.z, d.from.y, d.from.x};
    const T* g = l.inputs[0].as<T>();
    T* out = l.outputs[0].as<T>();
    for (int64_t sample = 0; sample < s.samples(); sample++) {
      const double* m = d.matrix_of(sample);
      std::vector<T> sum(d.from.product() * channels);
      AffineTaps where;
      for (int64_t z = 0; z < s[2]; z++)
        for (int64_t y = 0; y < s[3]; y++)
          for (int64_t x = 0; x < s[4]; x++, g += channels) {
            double place[3];
            for (int a = 0; a < 3; a++) place[a] = m[a * 4] * z + m[a * 4 + 1] * y + m[a * 4 + 2] * x + m[a * 4 + 3];
            if (!where.place(place, n, d.order)) continue;
            where.each(n, [&](int64_t voxel, double w) {
              for (int64_t c = 0; c < channels; c++) sum[voxel * channels + c] += static_cast<T>(w * g[c]);
            });
          }
      int64_t size[3] = {n[0], n[1], n[2]};
      for (int axis = 0; axis < 3 && d.order == 3; axis++) {
        auto forward = [&](const std::vector<T>& line) {
          std::vector<T> c(line.size());
          for (int64_t k = 0; k < static_cast<int64_t>(c.size()); k++) c[k] = coefficient(line, k, false);
          return c;
        };
        auto map = [&](const std::vector<T>& line) { return transposed<T>(forward, n[axis], line); };
        sum = map_lines<T>(sum, size, channels, axis, map, n[axis]);
      }
      out = std::copy(sum.begin(), sum.end(), out);
    }
  });
}

}  // namespace voxelspark
