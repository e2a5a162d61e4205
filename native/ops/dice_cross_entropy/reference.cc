#include "core/voxel_access.h"
#include "ops/dice_cross_entropy/dice_cross_entropy.h"

namespace voxelspark {

namespace {

// One voxel in double.
struct Voxel {
  std::vector<double> p, g;
  bool counts;
  double cross_entropy = 0;

  template <class T>
  Voxel(const DiceCrossEntropy& op, const T* z, double label, int64_t channels) : p(channels), g(channels) {
    counts = op.counts(label, channels);
    if (counts) op.target(label, channels, g.data(), 1);
    double largest = z[0], total = 0;
    for (int64_t c = 0; c < channels; c++) largest = std::fmax(largest, z[c]);
    for (int64_t c = 0; c < channels; c++) total += std::exp(z[c] - largest);
    for (int64_t c = 0; c < channels; c++) {
      const double x = z[c];
      p[c] = op.by_region() ? 1 / (1 + std::exp(-x)) : std::exp(x - largest) / total;
      if (!counts) continue;
      if (op.by_region()) cross_entropy += std::fmax(x, 0.0) - x * g[c] + std::log1p(std::exp(-std::fabs(x)));
      else if (g[c] > 0) cross_entropy += largest + std::log(total) - x;
    }
  }
};

}  // namespace

void dice_cross_entropy_forward_reference(const Descriptor& d, const Launch& l) {
  const auto& op = as<DiceCrossEntropy>(d);
  const Layout& layout = l.inputs[0].layout;
  by_dtype(layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* label = l.inputs[1].as<T>();
    std::vector<DiceSums> sums(op.groups(layout), DiceSums(layout.channels()));
    each_voxel(layout, l.inputs[0].as<T>(), [&](int64_t n, int64_t, int64_t, int64_t, const T* z) {
      const Voxel v(op, z, *label++, layout.channels());
      DiceSums& s = sums[op.batch_dice ? 0 : n];
      if (!v.counts) return;
      for (int64_t c = 0; c < layout.channels(); c++) {
        s.intersection[c] += v.p[c] * v.g[c];
        s.predicted[c] += v.p[c];
        s.wanted[c] += v.g[c];
      }
      s.cross_entropy += v.cross_entropy;
      s.count++;
    });
    finish_loss<T>(op, sums, l);
  });
}

void dice_cross_entropy_backward_reference(const Descriptor& d, const Launch& l) {
  const auto& op = as<DiceCrossEntropyBackward>(d);
  const Layout& layout = l.inputs[0].layout;
  const int64_t channels = layout.channels();
  by_dtype(layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T *label = l.inputs[1].as<T>(), scale = *l.inputs[3].as<T>(), gloss = *l.inputs[4].as<T>();
    T* gz = l.outputs[0].as<T>();
    each_voxel(layout, l.inputs[0].as<T>(), [&](int64_t n, int64_t, int64_t, int64_t, const T* z) {
      const Voxel v(op, z, *label++, channels);
      const T* k = l.inputs[2].as<T>() + (op.batch_dice ? 0 : n) * channels * 2;
      double mean = 0;
      for (int64_t c = 0; c < channels; c++) mean += (k[2 * c] * v.g[c] + k[2 * c + 1]) * v.p[c];
      for (int64_t c = 0; c < channels; c++) {
        const double h = k[2 * c] * v.g[c] + k[2 * c + 1];
        const double dice = v.p[c] * (op.by_region() ? h * (1 - v.p[c]) : h - mean);
        *gz++ = v.counts ? static_cast<T>(gloss * (dice + scale * (v.p[c] - v.g[c]))) : T(0);
      }
    });
  });
}

}  // namespace voxelspark
