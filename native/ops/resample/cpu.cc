// Lines of an axis are gathered sixteen at a time into a tile of doubles, filtered and read out side by side.
#include <cstring>
#include <optional>

#include "device/parallel.h"
#include "ops/resample/affine_row.h"
#include "ops/resample/passes.h"
#include "ops/resample/simd.h"
#include "ops/resample/spline.h"
#include "ops/resample/tiles.h"

namespace voxelspark {

DEFINE_KERNEL(resample_separable, ResampleSeparable)
DEFINE_KERNEL(resample_affine, ResampleAffine)

namespace {

void resize_axis(const float* x, float* y, const Lines& l, int64_t m, int64_t order) {
  const AxisTaps taps = axis_taps(l.n, m, order);
  const int64_t padded = l.n + 2 * kPad;
  auto filter = simd_spline_filter();
  auto read = simd_spline_taps();
  each_tile(l, (padded + m) * kLines, [&](double* tile, int64_t first, int64_t count) {
    double *const inner = tile + kPad * kLines, *const end = inner + l.n * kLines, *const out = end + kPad * kLines;
    each_sample(l, l.n, first, count, [=](int64_t at, int64_t k, int64_t i) { inner[k * kLines + i] = x[at]; });
    for (int64_t k = 0; k < kPad; k++) {
      std::memcpy(tile + k * kLines, inner, kLines * sizeof(double));
      std::memcpy(end + k * kLines, end - kLines, kLines * sizeof(double));
    }
    if (order == 3) filter(tile, padded, true);
    read(tile, taps.first.data(), taps.weight.data(), taps.taps, out, m);
    each_sample(l, m, first, count,
                [=](int64_t at, int64_t k, int64_t i) { y[at] = static_cast<float>(out[k * kLines + i]); });
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
void general_row(const AffineRow& r, int64_t channels, int64_t order) {
  AffineTaps taps;
  float* y = r.out;
  for (int64_t i = 0; i < r.count; i++, y += channels) {
    const double i_ = static_cast<double>(i);
    const double place[3] = {r.start[0] + i_ * r.step[0], r.start[1] + i_ * r.step[1], r.start[2] + i_ * r.step[2]};
    const bool inside = taps.place(place, r.size, order);
    for (int64_t c = 0; c < channels; c++) {
      double sum = 0;
      if (inside) taps.each(r.size, [&](int64_t voxel, double w) { sum += w * r.volume[voxel * channels + c]; });
      y[c] = inside ? static_cast<float>(sum) : r.outside;
    }
  }
}

// Spline coefficients of all samples, in the workspace.
const float* coefficients_of(const Tensor& x, void* workspace) {
  const Layout& layout = x.layout;
  float* coefficients = static_cast<float*>(workspace);
  std::memcpy(coefficients, x.f32(), static_cast<size_t>(layout.bytes()));
  int64_t n[3];
  sizes_of(layout.shape.size(), n);
  for (int axis = 0; axis < 3; axis++)
    filter_axis(coefficients, lines_of(layout.shape.samples(), layout.channels(), n, axis), simd_spline_filter());
  return coefficients;
}

}  // namespace

void resample_affine_cpu(const Descriptor& descriptor, const Launch& l) {
  const auto& d = as<ResampleAffine>(descriptor);
  const Layout& from = l.inputs[0].layout;
  const int64_t channels = from.channels(), volume = from.shape.size().product() * channels;
  const float* x = d.order == 3 ? coefficients_of(l.inputs[0], l.workspace) : l.inputs[0].f32();
  const bool cubic = d.order == 3 && channels == 1;
  const bool linear = d.order == 1 && channels == 1 && volume < kMostPlaces;
  const auto cubic_row = simd_cubic_row();
  const auto linear_row = simd_linear_row();
  parallel_for(from.shape.samples() * d.size.z, [&](int64_t item) {
    const int64_t sample = item / d.size.z, z = item % d.size.z;
    AffineRow r = {};
    r.volume = x + sample * volume;
    sizes_of(from.shape.size(), r.size);
    r.outside = static_cast<float>(d.outside);
    r.count = d.size.x;
    for (int64_t y = 0; y < d.size.y; y++) {
      place_row(r, d.matrix_of(sample), z, y);
      r.out = l.outputs[0].f32() + (item * d.size.y + y) * d.size.x * channels;
      if (cubic) cubic_row(r);
      else if (linear) linear_row(r);
      else general_row(r, channels, d.order);
    }
  });
}

}  // namespace voxelspark
