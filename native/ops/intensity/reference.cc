#include "ops/intensity/intensity.h"

namespace voxelspark {

namespace {

// body(values of a sample)
template <class Body>
void each_sample(const Launch& l, const Body& body) {
  const Layout& layout = l.inputs[0].layout;
  const int64_t voxels = layout.shape.size().product();
  by_dtype(layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (int64_t n = 0; n < layout.shape.samples(); n++) {
      T* x = l.inputs[0].as<T>() + n * voxels;
      std::vector<double> values(x, x + voxels);
      body(values);
      for (int64_t i = 0; i < voxels; i++) x[i] = static_cast<T>(values[i]);
    }
  });
}

Spread spread_of(const std::vector<double>& x) {
  double sum = 0, squares = 0;
  for (double v : x) sum += v;
  const double mean = sum / static_cast<double>(x.size());
  for (double v : x) squares += (v - mean) * (v - mean);
  return {mean, 0, squares, static_cast<int64_t>(x.size())};
}

}  // namespace

void intensity_scale_reference(const Descriptor& d, const Launch& l) {
  each_sample(l, [&](std::vector<double>& x) {
    for (double& v : x) v *= as<IntensityScale>(d).factor;
  });
}

void intensity_contrast_reference(const Descriptor& d, const Launch& l) {
  const double factor = as<IntensityContrast>(d).factor;
  each_sample(l, [&](std::vector<double>& x) {
    const double mean = spread_of(x).mean;
    const auto [low, high] = std::minmax_element(x.begin(), x.end());
    const double least = *low, most = *high;
    for (double& v : x) v = std::min(std::max((v - mean) * factor + mean, least), most);
  });
}

void intensity_gamma_reference(const Descriptor& d, const Launch& l) {
  const auto& op = as<IntensityGamma>(d);
  const double sign = op.inverted ? -1 : 1, least = kLeastSpread;
  each_sample(l, [&](std::vector<double>& x) {
    for (double& v : x) v *= sign;
    const Spread before = spread_of(x);
    const double low = *std::min_element(x.begin(), x.end()), range = *std::max_element(x.begin(), x.end()) - low;
    for (double& v : x) v = std::pow((v - low) / std::max(range, least), op.exponent) * range + low;
    const Spread after = spread_of(x);
    for (double& v : x)
      v = sign * ((v - after.mean) * (before.deviation / std::max(after.deviation, least)) + before.mean);
  });
}

}  // namespace voxelspark
