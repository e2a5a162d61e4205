#pragma once
#include <stdint.h>

#include "device/isa.h"

namespace voxelspark {

// A term of the sum; mean, scale and shift have one entry a column (see reduce/columns.h), mean is null where nothing
// is pending.
struct ResidualTerm {
  const float *values, *mean, *scale, *shift;
  float slope;
};

// y[i] = act(term x + term skip) for i < n, element i in column i % width; without values there is no skip.
DECLARE_SIMD(residual_range, void,
             (const ResidualTerm& x, const ResidualTerm& skip, float slope, int64_t n, int64_t width, float* y))

}  // namespace voxelspark
