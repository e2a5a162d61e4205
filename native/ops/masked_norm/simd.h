#pragma once
#include <stdint.h>

#include "device/isa.h"

namespace voxelspark {

// Parameters of a group, one entry a column (see reduce/columns.h); scale = gamma * inverse_std, shift = beta.
struct NormColumns {
  const float *mean, *scale, *shift, *inverse_std;
  float slope;
};

DECLARE_SIMD(norm_apply, void, (const float* x, int64_t n, int64_t width, const NormColumns& p, float* y))
// gx = scale (g - mean_g - xhat mean_gx)
DECLARE_SIMD(norm_gradient, void,
             (const float* x, const float* gy, int64_t n, int64_t width, const NormColumns& p, const float* mean_g,
              const float* mean_gx, float* gx))

}  // namespace voxelspark
