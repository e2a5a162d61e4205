#include <limits>

#include "device/parallel.h"
#include "ops/intensity/intensity.h"
#include "ops/intensity/simd.h"

namespace voxelspark {

DEFINE_KERNEL(intensity_scale, IntensityScale)
DEFINE_KERNEL(intensity_contrast, IntensityContrast)
DEFINE_KERNEL(intensity_gamma, IntensityGamma)

namespace {

constexpr int64_t kChunk = 1 << 14;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Runs body(x, n) for every chunk of a sample and returns its moments afterwards, about `pivot`.
template <class Body>
IntensityMoments measured(float* x, int64_t voxels, float pivot, const Body& body) {
  const int64_t chunks = (voxels + kChunk - 1) / kChunk;
  std::vector<IntensityMoments> parts(chunks);
  auto moments = simd_intensity_moments();
  parallel_for(chunks, [&](int64_t i) {
    const int64_t begin = i * kChunk, n = std::min(kChunk, voxels - begin);
    body(x + begin, n);
    moments(x + begin, n, pivot, &parts[i]);
  });
  IntensityMoments total = parts[0];
  for (int64_t i = 1; i < chunks; i++) {
    total.low = std::min(total.low, parts[i].low);
    total.high = std::max(total.high, parts[i].high);
    total.sum += parts[i].sum;
    total.squares += parts[i].squares;
  }
  return total;
}

void lines(float* x, int64_t voxels, double a, double b, float low, float high) {
  auto line = simd_intensity_line();
  parallel_ranges(voxels, kChunk, [&](int64_t begin, int64_t end) {
    line(x + begin, end - begin, static_cast<float>(a), static_cast<float>(b), low, high);
  });
}

// body(first voxel, voxels) of every sample
template <class Body>
void each_sample(const Launch& l, const Body& body) {
  const Shape& s = l.inputs[0].layout.shape;
  const int64_t voxels = s.size().product();
  for (int64_t n = 0; n < s.samples(); n++) body(l.inputs[0].f32() + n * voxels, voxels);
}

}  // namespace

void intensity_scale_cpu(const Descriptor& d, const Launch& l) {
  const double factor = as<IntensityScale>(d).factor;
  each_sample(l, [&](float* x, int64_t voxels) { lines(x, voxels, factor, 0, -kInfinity, kInfinity); });
}

void intensity_contrast_cpu(const Descriptor& d, const Launch& l) {
  const double factor = as<IntensityContrast>(d).factor;
  each_sample(l, [&](float* x, int64_t voxels) {
    const IntensityMoments m = measured(x, voxels, x[0], [](float*, int64_t) {});
    const double mean = Spread(x[0], m.sum, m.squares, voxels).mean;
    lines(x, voxels, factor, mean - factor * mean, m.low, m.high);
  });
}

void intensity_gamma_cpu(const Descriptor& d, const Launch& l) {
  const auto& op = as<IntensityGamma>(d);
  const float sign = op.inverted ? -1.0f : 1.0f;
  auto bend = simd_intensity_curve();
  each_sample(l, [&](float* x, int64_t voxels) {
    const float pivot = x[0];
    const IntensityMoments m = measured(x, voxels, pivot, [](float*, int64_t) {});
    const Spread before(sign * pivot, sign * m.sum, m.squares, voxels);
    const float low = op.inverted ? -m.high : m.low, range = m.high - m.low;
    const GammaCurve curve = {sign, low, range, 1 / std::max(range, kLeastSpread), static_cast<float>(op.exponent)};
    const IntensityMoments bent = measured(x, voxels, low, [&](float* chunk, int64_t n) { bend(chunk, n, curve); });
    const Spread after(low, bent.sum, bent.squares, voxels);
    const double stretch = before.deviation / std::max(after.deviation, static_cast<double>(kLeastSpread));
    lines(x, voxels, sign * stretch, sign * (before.mean - stretch * after.mean), -kInfinity, kInfinity);
  });
}

}  // namespace voxelspark
