// Intensity changes of augmentation (method.md section 7.5), in place, each sample with statistics of its own:
//
// intensity_scale     x <- f x
// intensity_contrast  x <- (x - mean) f + mean, kept within the old [min, max]
// intensity_gamma     x <- ((x - min) / max(range, 1e-7))^g range + min, then moved and stretched back to the old mean
//                     and deviation (divisor n - 1); with `inverted` the same is done to -x
//
// Statistics are sums in double over chunks of fixed size, added in order: the same bits for any number of threads.
#pragma once
#include <algorithm>
#include <cmath>

#include "core/host_device.h"
#include "core/text.h"
#include "device/parts.h"
#include "ops/checks.h"
#include "ops/reduce/voxel_splits.h"

namespace voxelspark {

constexpr float kLeastSpread = 1e-7f;  // what ranges and deviations are divided by at least

// What CUDA keeps of a sample: partial statistics of fixed splits, and what the transform makes of them.
struct IntensityParts {
  static constexpr int64_t kStatistics = 4, kParameters = 16;  // numbers of a split, of a sample
  double *partial, *parameters;

  IntensityParts(Parts& parts, const Layout& x)
      : partial(
            parts.take<double>(x.shape.samples() * ElementSplits::of(x.shape.size().product()).splits * kStatistics)),
        parameters(parts.take<double>(x.shape.samples() * kParameters)) {}
  static int64_t bytes(const Layout& x) {
    Parts parts;
    IntensityParts(parts, x);
    return parts.bytes();
  }
};

struct IntensityScale : Descriptor {
  double factor = 1;

  void fields(FieldVisitor& v) override { v.field("factor", factor); }
  Layouts infer(const Inputs& in) const override {
    require_one_channel(in[0].layout, "intensity_scale");
    require(std::isfinite(factor), "RANGE",
            "intensity_scale: factor is " + text_of(factor) + ", allowed is any finite number");
    return {};
  }
};

struct IntensityContrast : Descriptor {
  double factor = 1;

  void fields(FieldVisitor& v) override { v.field("factor", factor); }
  Layouts infer(const Inputs& in) const override {
    require_one_channel(in[0].layout, "intensity_contrast");
    require(std::isfinite(factor), "RANGE",
            "intensity_contrast: factor is " + text_of(factor) + ", allowed is any finite number");
    return {};
  }
  int64_t cuda_workspace(const Inputs& in) const override { return IntensityParts::bytes(in[0].layout); }
};

struct IntensityGamma : Descriptor {
  double exponent = 1;
  bool inverted = false;

  void fields(FieldVisitor& v) override {
    v.field("exponent", exponent);
    v.field("inverted", inverted);
  }
  Layouts infer(const Inputs& in) const override {
    require_one_channel(in[0].layout, "intensity_gamma");
    require(exponent > 0 && exponent <= 100, "RANGE",
            "intensity_gamma: exponent is " + text_of(exponent) + ", allowed is above 0 up to 100");
    return {};
  }
  int64_t cuda_workspace(const Inputs& in) const override { return IntensityParts::bytes(in[0].layout); }
};

// Of n values: what the transforms need to know, from the sums of x and x^2 about a pivot near the mean.
struct Spread {
  double mean, deviation;
  HOST_DEVICE Spread(double pivot, double sum, double squares, int64_t n) {
    const double count = static_cast<double>(n), offset = sum / count;
    const double variance = n > 1 ? (squares - count * offset * offset) / (count - 1) : 0;
    mean = pivot + offset;
    deviation = variance > 0 ? std::sqrt(variance) : 0;
  }
};

}  // namespace voxelspark
