// Lines of an axis are gathered sixteen at a time into a tile of doubles, filtered and read out side by side.
#include <cstring>
#include <optional>

#include "device/parallel.h"
#include "ops/resample/lines.h"
#include "ops/resample/passes.h"
#include "ops/resample/simd.h"
#include "ops/resample/spline.h"

namespace voxelspark {

DEFINE_KERNEL(resample_separable, ResampleSeparable)
DEFINE_KERNEL(resample_affine, ResampleAffine)

namespace {

void resize_axis(const float* x, float* y, const Lines& l, int64_t m, int64_t order) {
  const AxisTaps taps = axis_taps(l.n, m, order);
  const int64_t padded = l.n + 2 * kPad, tiles = (l.count() + kLines - 1) / kLines;
  constexpr int64_t kTilesAnItem = 8;
  auto filter = simd_spline_filter();
  auto read = simd_spline_taps();
  parallel_ranges(tiles, kTilesAnItem, [&](int64_t begin, int64_t end) {
    std::vector<double> tile(padded * kLines), out(m * kLines);
    for (int64_t t = begin; t < end; t++) {
      const int64_t first = t * kLines, count = std::min(kLines, l.count() - first);
      each_sample(l, l.n, first, count,
                  [&](int64_t at, int64_t k, int64_t i) { tile[(k + kPad) * kLines + i] = x[at]; });
      for (int64_t k = 0; k < kPad; k++) {
        std::memcpy(&tile[k * kLines], &tile[kPad * kLines], kLines * sizeof(double));
        std::memcpy(&tile[(kPad + l.n + k) * kLines], &tile[(kPad + l.n - 1) * kLines], kLines * sizeof(double));
      }
      if (order == 3) filter(tile.data(), padded, true);
      read(tile.data(), taps.first.data(), taps.weight.data(), taps.taps, out.data(), m);
      each_sample(l, m, first, count,
                  [&](int64_t at, int64_t k, int64_t i) { y[at] = static_cast<float>(out[k * kLines + i]); });
    }
  });
}

// In place: y holds samples on entry and coefficients on return.
void filter_axis(float* y, const Lines& l) {
  if (l.n == 1) return;
  const int64_t tiles = (l.count() + kLines - 1) / kLines;
  auto filter = simd_spline_filter();
  parallel_ranges(tiles, 8, [&](int64_t begin, int64_t end) {
    std::vector<double> tile(l.n * kLines);
    for (int64_t t = begin; t < end; t++) {
      const int64_t first = t * kLines, count = std::min(kLines, l.count() - first);
      each_sample(l, l.n, first, count, [&](int64_t at, int64_t k, int64_t i) { tile[k * kLines + i] = y[at]; });
      filter(tile.data(), l.n, false);
      each_sample(l, l.n, first, count,
                  [&](int64_t at, int64_t k, int64_t i) { y[at] = static_cast<float>(tile[k * kLines + i]); });
    }
  });
}

// Ranges of the input per sample, slice along the clip axis (one when there is none) and channel.
class Ranges {
 public:
  Ranges(const float* x, const Layout& layout, int64_t clip_axis) : channels_(layout.channels()), axis_(clip_axis) {
    const Int3 size = layout.shape.size();
    slices_ = axis_ < 0 ? 1 : axis_ == 0 ? size.z : axis_ == 1 ? size.y : size.x;
    range_.resize(layout.shape.samples() * slices_ * channels_);
    for (auto& r : range_) r = {INFINITY, -INFINITY};
    visit(x, layout.shape.samples(), size, [](float v, std::pair<float, float>& r) {
      r.first = std::min(r.first, v);
      r.second = std::max(r.second, v);
      return v;
    });
  }
  void clip(float* y, int64_t samples, Int3 size) {
    visit(y, samples, size,
          [](float v, std::pair<float, float>& r) { return std::min(std::max(v, r.first), r.second); });
  }

 private:
  template <class T, class Each>
  void visit(T* data, int64_t samples, Int3 size, const Each& each) {
    const int64_t row = size.x * channels_;
    parallel_for(samples, [&](int64_t n) {
      for (int64_t z = 0; z < size.z; z++)
        for (int64_t y = 0; y < size.y; y++) {
          T* line = data + ((n * size.z + z) * size.y + y) * row;
          for (int64_t x = 0; x < size.x; x++)
            for (int64_t c = 0; c < channels_; c++) {
              const int64_t slice = axis_ < 0 ? 0 : axis_ == 0 ? z : axis_ == 1 ? y : x;
              const float v = each(line[x * channels_ + c], range_[(n * slices_ + slice) * channels_ + c]);
              put(line + x * channels_ + c, v);
            }
        }
    });
  }
  static void put(float* at, float v) { *at = v; }
  static void put(const float*, float) {}

  int64_t channels_, axis_, slices_;
  std::vector<std::pair<float, float>> range_;
};

}  // namespace

// Two buffers of the largest intermediate result.
int64_t ResampleSeparable::workspace(const Inputs& in) const {
  const Shape& s = in[0].layout.shape;
  return 2 * Passes(*this, s.size()).largest(s, size) * static_cast<int64_t>(sizeof(float));
}

void resample_separable_cpu(const Descriptor& descriptor, const Launch& l) {
  const auto& d = as<ResampleSeparable>(descriptor);
  const Layout& from = l.inputs[0].layout;
  const Shape& s = from.shape;
  const Passes passes(d, s.size());
  int64_t now[3], to[3];
  sizes_of(s.size(), now);
  sizes_of(d.size, to);
  const float* x = l.inputs[0].f32();
  float* const y = l.outputs[0].f32();
  if (passes.count == 0) {
    std::memcpy(y, x, static_cast<size_t>(from.bytes()));
    return;
  }
  std::optional<Ranges> ranges;
  if (d.clip) ranges.emplace(x, from, d.clip_axis);
  float* half[2] = {static_cast<float*>(l.workspace),
                    static_cast<float*>(l.workspace) +
                        d.workspace(l.inputs) / (2 * static_cast<int64_t>(sizeof(float)))};
  const int64_t orders[3] = {d.order.z, d.order.y, d.order.x};
  for (int p = 0; p < passes.count; p++) {
    const int axis = passes.axis[p];
    float* out = p + 1 == passes.count ? y : half[p & 1];
    resize_axis(x, out, lines_of(s.samples(), s.channels(), now, axis), to[axis], orders[axis]);
    now[axis] = to[axis];
    x = out;
    const bool last = p + 1 == passes.count || passes.axis[p + 1] == d.clip_axis;
    if (last && ranges && axis != d.clip_axis) {
      ranges->clip(out, s.samples(), {now[0], now[1], now[2]});
      ranges.reset();
    }
  }
}

namespace {

// Nearest, and linear and cubic with several channels: one voxel at a time.
void general_row(const float* x, Int3 size, int64_t channels, int64_t order, const double start[3],
                 const double step[3], float outside, float* y, int64_t count) {
  const int64_t n[3] = {size.z, size.y, size.x};
  AffineTaps taps;
  for (int64_t i = 0; i < count; i++, y += channels) {
    const double i_ = static_cast<double>(i);
    const double place[3] = {start[0] + i_ * step[0], start[1] + i_ * step[1], start[2] + i_ * step[2]};
    const bool inside = taps.place(place, n, order);
    for (int64_t c = 0; c < channels; c++) {
      double sum = 0;
      if (inside) taps.each(n, [&](int64_t voxel, double w) { sum += w * x[voxel * channels + c]; });
      y[c] = inside ? static_cast<float>(sum) : outside;
    }
  }
}

}  // namespace

void resample_affine_cpu(const Descriptor& descriptor, const Launch& l) {
  const auto& d = as<ResampleAffine>(descriptor);
  const Layout& from = l.inputs[0].layout;
  const Int3 size = from.shape.size();
  const int64_t channels = from.channels(), voxels = size.product() * channels;
  const float* x = l.inputs[0].f32();
  if (d.order == 3) {
    float* coefficients = static_cast<float*>(l.workspace);
    std::memcpy(coefficients, x, static_cast<size_t>(from.bytes()));
    int64_t n[3];
    sizes_of(size, n);
    for (int axis = 0; axis < 3; axis++) filter_axis(coefficients, lines_of(from.shape.samples(), channels, n, axis));
    x = coefficients;
  }
  auto fast = simd_cubic_row();
  auto linear = simd_linear_row();
  const float outside = static_cast<float>(d.outside);
  parallel_for(from.shape.samples() * d.size.z, [&](int64_t item) {
    const int64_t sample = item / d.size.z, z = item % d.size.z;
    const double* m = d.matrix_of(sample);
    for (int64_t y = 0; y < d.size.y; y++) {
      double start[3], step[3];
      for (int a = 0; a < 3; a++) {
        start[a] = m[a * 4] * static_cast<double>(z) + m[a * 4 + 1] * static_cast<double>(y) + m[a * 4 + 3];
        step[a] = m[a * 4 + 2];
      }
      float* row = l.outputs[0].f32() + ((sample * d.size.z + z) * d.size.y + y) * d.size.x * channels;
      const float* source = x + sample * voxels;
      if (d.order == 3 && channels == 1) {
        const CubicRow r = {source,
                            {size.z, size.y, size.x},
                            {start[0], start[1], start[2]},
                            {step[0], step[1], step[2]},
                            outside,
                            row,
                            d.size.x};
        fast(r);
      } else if (d.order == 1 && channels == 1 && voxels < kMostPlaces) {
        const LinearRow r = {source,
                             {size.z, size.y, size.x},
                             {start[0], start[1], start[2]},
                             {step[0], step[1], step[2]},
                             outside,
                             row,
                             d.size.x};
        linear(r);
      } else {
        general_row(source, size, channels, d.order, start, step, outside, row, d.size.x);
      }
    }
  });
}

}  // namespace voxelspark
