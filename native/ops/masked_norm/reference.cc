#include <cmath>

#include "core/voxel_access.h"
#include "ops/masked_norm/masked_norm.h"

namespace voxelspark {

// Calls visit(group, channel, element index) for every stored element.
template <class Visit>
static void each(const MaskedNorm& op, const Layout& x, const Visit& visit) {
  const int64_t c = x.channels();
  int64_t i = 0;
  for (int64_t n = 0; n < x.shape.samples(); n++)
    for (int64_t left = x.voxels_of(n) * c; left > 0; left--, i++) visit(op.group_of(n), i % c, i);
}

// Outputs 1 and 2, and the running statistics.
template <class T>
static void statistics(const MaskedNormForward& op, const Launch& l) {
  const Layout& layout = l.inputs[0].layout;
  const int64_t c = layout.channels(), all = op.groups(layout) * c;
  const T* x = l.inputs[0].as<T>();
  T* running[2] = {present(l.inputs, 3) ? l.inputs[3].as<T>() : nullptr,
                   present(l.inputs, 3) ? l.inputs[4].as<T>() : nullptr};
  std::vector<double> mean(all), m2(all);
  each(op, layout, [&](int64_t g, int64_t k, int64_t i) { mean[g * c + k] += x[i]; });
  for (int64_t i = 0; i < all; i++) mean[i] /= std::max<int64_t>(1, op.voxels_of(layout, i / c));
  each(op, layout,
       [&](int64_t g, int64_t k, int64_t i) { m2[g * c + k] += (x[i] - mean[g * c + k]) * (x[i] - mean[g * c + k]); });
  T *saved_mean = l.outputs[1].as<T>(), *inverse_std = l.outputs[2].as<T>();
  for (int64_t i = 0; i < all; i++) {
    const double voxels = static_cast<double>(op.voxels_of(layout, i / c));
    const double variance = op.training ? m2[i] / std::max(1.0, voxels) : running[1][i];
    saved_mean[i] = static_cast<T>(op.training ? mean[i] : running[0][i]);
    inverse_std[i] = static_cast<T>(1 / std::sqrt(variance + op.eps));
    if (!op.training || !running[0] || voxels == 0) continue;
    running[0][i] += static_cast<T>(op.momentum * (mean[i] - running[0][i]));
    running[1][i] += static_cast<T>(op.momentum * (m2[i] / std::max(1.0, voxels - 1) - running[1][i]));
  }
}

void masked_norm_forward_reference(const Descriptor& d, const Launch& l) {
  const auto& op = as<MaskedNormForward>(d);
  by_dtype(l.outputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    statistics<T>(op, l);
    const int64_t c = l.inputs[0].layout.channels();
    const T *x = l.inputs[0].as<T>(), *gamma = present(l.inputs, 1) ? l.inputs[1].as<T>() : nullptr;
    const T *beta = gamma ? l.inputs[2].as<T>() : nullptr, *mean = l.outputs[1].as<T>();
    const T* inverse_std = l.outputs[2].as<T>();
    T* y = l.outputs[0].as<T>();
    each(op, l.inputs[0].layout, [&](int64_t g, int64_t k, int64_t i) {
      const T xhat = (x[i] - mean[g * c + k]) * inverse_std[g * c + k];
      const T z = gamma ? gamma[k] * xhat + beta[k] : xhat;
      y[i] = z > 0 ? z : static_cast<T>(op.slope) * z;
    });
  });
}

void masked_norm_affine_reference(const Descriptor& d, const Launch& l) {
  const auto& op = as<MaskedNormForward>(d);
  by_dtype(l.outputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    statistics<T>(op, l);
    const Layout& x = l.inputs[0].layout;
    const int64_t c = x.channels();
    const T* gamma = present(l.inputs, 1) ? l.inputs[1].as<T>() : nullptr;
    const T *beta = gamma ? l.inputs[2].as<T>() : nullptr, *mean = l.outputs[1].as<T>();
    const T* inverse_std = l.outputs[2].as<T>();
    T* affine = l.outputs[0].as<T>();
    for (int64_t i = 0; i < op.groups(x) * c; i++) {
      T* to = affine + i / c * 3 * c + i % c;
      to[0] = mean[i];
      to[c] = (gamma ? gamma[i % c] : T(1)) * inverse_std[i];
      to[2 * c] = beta ? beta[i % c] : T(0);
    }
  });
}

// `parameters` is the first output that belongs to them.
static void backward(const MaskedNorm& op, const Launch& l, const Tensor& to, size_t parameters) {
  by_dtype(to.layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Layout& layout = l.inputs[0].layout;
    const int64_t c = layout.channels(), all = op.groups(layout) * c;
    const T *x = l.inputs[0].as<T>(), *gy = l.inputs[1].as<T>(), *mean = l.inputs[2].as<T>();
    const T *inverse_std = l.inputs[3].as<T>(), *gamma = present(l.inputs, 4) ? l.inputs[4].as<T>() : nullptr;
    const T* beta = gamma ? l.inputs[5].as<T>() : nullptr;
    const auto xhat = [&](int64_t g, int64_t k, int64_t i) {
      return (x[i] - mean[g * c + k]) * inverse_std[g * c + k];
    };
    const auto incoming = [&](int64_t g, int64_t k, int64_t i) {
      const T z = gamma ? gamma[k] * xhat(g, k, i) + beta[k] : xhat(g, k, i);
      return z > 0 ? gy[i] : static_cast<T>(op.slope) * gy[i];
    };
    std::vector<double> sum_g(all), sum_gx(all), gbeta(c), ggamma(c);
    each(op, layout, [&](int64_t g, int64_t k, int64_t i) {
      sum_g[g * c + k] += incoming(g, k, i);
      sum_gx[g * c + k] += double(incoming(g, k, i)) * xhat(g, k, i);
    });
    for (int64_t i = 0; i < all; i++) gbeta[i % c] += sum_g[i], ggamma[i % c] += sum_gx[i];
    T* gx = to.as<T>();
    each(op, layout, [&](int64_t g, int64_t k, int64_t i) {
      const double voxels = static_cast<double>(op.voxels_of(layout, g)), constant = op.training ? 1 : 0;
      const double bracket =
          incoming(g, k, i) - constant * (sum_g[g * c + k] + xhat(g, k, i) * sum_gx[g * c + k]) / voxels;
      gx[i] = static_cast<T>((gamma ? gamma[k] : T(1)) * inverse_std[g * c + k] * bracket);
    });
    for (int64_t k = 0; gamma && k < c; k++) {
      l.outputs[parameters].as<T>()[k] = static_cast<T>(ggamma[k]);
      l.outputs[parameters + 1].as<T>()[k] = static_cast<T>(gbeta[k]);
    }
  });
}

void masked_norm_backward_reference(const Descriptor& d, const Launch& l) {
  backward(as<MaskedNorm>(d), l, l.outputs[0], 1);
}

void masked_norm_backward_in_place_reference(const Descriptor& d, const Launch& l) {
  backward(as<MaskedNorm>(d), l, l.inputs[1], 0);
}

}  // namespace voxelspark
