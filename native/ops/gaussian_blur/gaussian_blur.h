// Gaussian blur with a deviation for each axis (method.md section 7.5): y = the separable convolution of x with the
// sampled, normalised Gaussian, mirrored at the middle of the border voxels. Deviation 0 leaves an axis alone.
//
// The kernel has the odd length nearest to 6 sigma + 1/2, as nnU-Net cuts it. Axes shorter than the kernel's reach are
// mirrored again and again. A voxel is one sum in the order z, y, x, written by one item of work.
#pragma once
#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "device/parts.h"
#include "ops/checks.h"

namespace voxelspark {

// Length of the kernel: 6 sigma + 1/2 rounded to even, then to the odd neighbour that is nearer.
inline int64_t blur_taps(double sigma) {
  if (sigma == 0) return 1;
  const double wanted = 6 * sigma + 0.5;
  const int64_t rounded = static_cast<int64_t>(std::nearbyint(wanted));
  return rounded % 2                              ? rounded
         : wanted >= static_cast<double>(rounded) ? rounded + 1
                                                  : std::max<int64_t>(rounded - 1, 1);
}

inline std::vector<double> blur_weights(double sigma) {
  const int64_t taps = blur_taps(sigma);
  std::vector<double> w(taps, 1.0);
  if (taps == 1) return w;
  double sum = 0;
  for (int64_t k = 0; k < taps; k++) {
    const double x = static_cast<double>(k - taps / 2) / sigma;
    sum += w[k] = std::exp(-0.5 * x * x);
  }
  for (double& v : w) v /= sum;
  return w;
}

// What CUDA keeps: a volume between two axes, and the weights of the three.
struct BlurParts {
  float *half, *weights[3];

  BlurParts(Parts& parts, const Layout& x, const std::vector<double>& sigma)
      : half(parts.take<float>(x.shape.elements())) {
    for (int a = 0; a < 3; a++) weights[a] = parts.take<float>(blur_taps(sigma[a]));
  }
};

struct GaussianBlur : Descriptor {
  std::vector<double> sigma;  // voxels along z, y, x

  void fields(FieldVisitor& v) override { v.field("sigma", sigma); }
  Layouts infer(const Inputs& in) const override {
    const std::string op = "gaussian_blur";
    require_one_channel(in[0].layout, op);
    require(sigma.size() == 3, "SHAPE",
            op + ": sigma has " + std::to_string(sigma.size()) + " numbers, allowed are 3 (z, y, x)");
    for (double s : sigma)
      require(s >= 0 && s <= 100, "RANGE", op + ": sigma is " + text_of(s) + " voxels, allowed is 0 to 100");
    return {in[0].layout};
  }
  int64_t cuda_workspace(const Inputs& in) const override {
    Parts parts;
    BlurParts(parts, in[0].layout, sigma);
    return parts.bytes();
  }
};

}  // namespace voxelspark
