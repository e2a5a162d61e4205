// A plane at a time: along z from the planes of x into scratch, along y into scratch, along x into the output.
#include <cstring>

#include "device/parallel.h"
#include "ops/gaussian_blur/gaussian_blur.h"
#include "ops/gaussian_blur/simd.h"
#include "ops/resample/spline.h"

namespace voxelspark {

DEFINE_KERNEL(gaussian_blur, GaussianBlur)

namespace {

struct Taps {
  int64_t count;
  std::vector<float> weight;
  explicit Taps(double sigma) {
    const auto w = blur_weights(sigma);
    weight.assign(w.begin(), w.end());
    count = static_cast<int64_t>(w.size());
  }
  int64_t reach() const { return count / 2; }
};

// The rows that row `i` of `n` sums up, `stride` floats apart.
void rows_around(const float* first, int64_t i, int64_t n, int64_t stride, const Taps& taps, const float** rows) {
  for (int64_t k = 0; k < taps.count; k++) rows[k] = first + mirrored(i + k - taps.reach(), n) * stride;
}

}  // namespace

void gaussian_blur_cpu(const Descriptor& d, const Launch& l) {
  const auto& op = as<GaussianBlur>(d);
  const Int3 size = l.inputs[0].layout.shape.size();
  const int64_t plane = size.y * size.x;
  const Taps along_z(op.sigma[0]), along_y(op.sigma[1]), along_x(op.sigma[2]);
  const int64_t most = std::max({along_z.count, along_y.count, along_x.count});
  auto weigh = simd_weighted_rows();
  constexpr int64_t kPlanesAnItem = 4;  // they share scratch
  parallel_ranges(l.inputs[0].layout.shape.samples() * size.z, kPlanesAnItem, [&](int64_t begin, int64_t end) {
    std::vector<float> first(plane), second(plane), padded(size.x + 2 * along_x.reach());
    std::vector<const float*> rows(most);
    for (int64_t item = begin; item < end; item++) {
      const int64_t n = item / size.z, z = item % size.z;
      const float* in = l.inputs[0].f32() + n * size.z * plane;
      float* out = l.outputs[0].f32() + item * plane;
      rows_around(in, z, size.z, plane, along_z, rows.data());
      weigh(rows.data(), along_z.weight.data(), along_z.count, plane, first.data());
      for (int64_t y = 0; y < size.y; y++) {
        rows_around(first.data(), y, size.y, size.x, along_y, rows.data());
        weigh(rows.data(), along_y.weight.data(), along_y.count, size.x, second.data() + y * size.x);
      }
      for (int64_t y = 0; y < size.y; y++) {
        const float* row = second.data() + y * size.x;
        const int64_t reach = along_x.reach();
        std::memcpy(padded.data() + reach, row, size.x * sizeof(float));
        for (int64_t k = 1; k <= reach; k++) {
          padded[reach - k] = row[mirrored(-k, size.x)];
          padded[reach + size.x - 1 + k] = row[mirrored(size.x - 1 + k, size.x)];
        }
        for (int64_t k = 0; k < along_x.count; k++) rows[k] = padded.data() + k;
        weigh(rows.data(), along_x.weight.data(), along_x.count, size.x, out + y * size.x);
      }
    }
  });
}

}  // namespace voxelspark
