// Adjoints of cpu.cc: the same tiles, every step reversed. Sums run in a fixed order, whatever the thread count.
#include <cstring>

#include "ops/resample/resample.h"
#include "ops/resample/simd.h"
#include "ops/resample/spline.h"
#include "ops/resample/tiles.h"

namespace voxelspark {

DEFINE_KERNEL(resample_separable_backward, ResampleSeparableBackward)
DEFINE_KERNEL(resample_affine_backward, ResampleAffineBackward)

namespace {

// Lines of l.n input samples receive from lines of m output samples.
void resize_axis_adjoint(const float* gy, float* gx, const Lines& l, int64_t m, int64_t order) {
  const AxisTaps taps = axis_taps(l.n, m, order);
  const int64_t padded = l.n + 2 * kPad;
  auto filter = simd_spline_filter_adjoint();
  auto spread = simd_spline_taps_adjoint();
  each_tile(l, (padded + m) * kLines, [&](double* tile, int64_t first, int64_t count) {
    double *const inner = tile + kPad * kLines, *const top = inner + (l.n - 1) * kLines;
    double* const out = tile + padded * kLines;
    std::fill_n(tile, padded * kLines, 0.0);
    each_sample(l, m, first, count, [=](int64_t at, int64_t k, int64_t i) { out[k * kLines + i] = gy[at]; });
    spread(tile, taps.first.data(), taps.weight.data(), taps.taps, out, m);
    if (order == 3) filter(tile, padded, true);
    for (int64_t k = 0; k < kPad; k++)  // padding repeats the end samples
      for (int64_t i = 0; i < kLines; i++) {
        inner[i] += tile[k * kLines + i];
        top[i] += top[(k + 1) * kLines + i];
      }
    each_sample(l, l.n, first, count,
                [=](int64_t at, int64_t k, int64_t i) { gx[at] = static_cast<float>(inner[k * kLines + i]); });
  });
}

}  // namespace

void resample_separable_backward_cpu(const Descriptor& descriptor, const Launch& l) {
  const auto& d = as<ResampleSeparableBackward>(descriptor);
  const Shape& s = l.inputs[0].layout.shape;
  int64_t now[3], to[3];
  sizes_of(s.size(), now);
  sizes_of(d.from, to);
  const int64_t orders[3] = {d.order.z, d.order.y, d.order.x};
  const float* g = l.inputs[0].f32();
  float* half[2] = {static_cast<float*>(l.workspace),
                    static_cast<float*>(l.workspace) + d.workspace(l.inputs) / (2 * sizeof(float))};
  int writes = 0;
  for (int axis = 0; axis < 3; axis++) {
    if (now[axis] == to[axis]) continue;
    const int64_t m = now[axis];
    now[axis] = to[axis];
    float* const out = half[writes++ & 1];
    resize_axis_adjoint(g, out, lines_of(s.samples(), s.channels(), now, axis), m, orders[axis]);
    g = out;
  }
  std::memcpy(l.outputs[0].f32(), g, static_cast<size_t>(l.outputs[0].layout.bytes()));
}

void resample_affine_backward_cpu(const Descriptor& descriptor, const Launch& l) {
  const auto& d = as<ResampleAffineBackward>(descriptor);
  const Shape& s = l.inputs[0].layout.shape;
  const int64_t channels = s.channels();
  int64_t n[3];
  sizes_of(d.from, n);
  float* gx = l.outputs[0].f32();
  // A sample is one item: its voxels add to shared places, in one order.
  parallel_for(s.samples(), [&](int64_t sample) {
    const double* m = d.matrix_of(sample);
    const float* g = l.inputs[0].f32() + sample * s.size().product() * channels;
    std::vector<double> sum(static_cast<size_t>(d.from.product() * channels));
    AffineTaps taps;
    for (int64_t z = 0; z < s[2]; z++)
      for (int64_t y = 0; y < s[3]; y++)
        for (int64_t x = 0; x < s[4]; x++, g += channels) {
          double place[3];
          for (int a = 0; a < 3; a++)
            place[a] = m[a * 4] * static_cast<double>(z) + m[a * 4 + 1] * static_cast<double>(y) +
                       m[a * 4 + 2] * static_cast<double>(x) + m[a * 4 + 3];
          if (!taps.place(place, n, d.order)) continue;
          taps.each(n, [&](int64_t voxel, double w) {
            for (int64_t c = 0; c < channels; c++) sum[voxel * channels + c] += w * g[c];
          });
        }
    float* to = gx + sample * static_cast<int64_t>(sum.size());
    for (size_t i = 0; i < sum.size(); i++) to[i] = static_cast<float>(sum[i]);
  });
  for (int axis = 0; axis < 3 && d.order == 3; axis++)
    filter_axis(gx, lines_of(s.samples(), channels, n, axis), simd_spline_filter_adjoint());
}

}  // namespace voxelspark
