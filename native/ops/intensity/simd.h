#pragma once
#include <stdint.h>

#include "device/isa.h"

namespace voxelspark {

struct IntensityMoments {
  float low, high;
  double sum, squares;  // of x - pivot
};
struct GammaCurve {
  float sign, low, range, inverse_range, exponent;
};

DECLARE_SIMD(intensity_moments, void, (const float* x, int64_t n, float pivot, IntensityMoments* m))
// x = min(max(x a + b, low), high)
DECLARE_SIMD(intensity_line, void, (float* x, int64_t n, float a, float b, float low, float high))
// x = ((sign x - low) inverse_range)^exponent range + low
DECLARE_SIMD(intensity_curve, void, (float* x, int64_t n, const GammaCurve& curve))

}  // namespace voxelspark
