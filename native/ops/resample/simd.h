#pragma once
#include <stdint.h>

#include "device/isa.h"
#include "ops/resample/row.h"

namespace voxelspark {

// Cubic B-spline coefficients of kLines lines in place, tile[n][kLines]. `edge`: the line goes on with its
// end values; else it is mirrored at the middle of its end samples.
DECLARE_SIMD(spline_filter, void, (double* tile, int64_t n, bool edge))
// The adjoint of spline_filter, in place.
DECLARE_SIMD(spline_filter_adjoint, void, (double* tile, int64_t n, bool edge))
// out[m][kLines] = sum over taps of weight[m][taps] * tile[first[m] + tap]
DECLARE_SIMD(spline_taps, void,
             (const double* tile, const int64_t* first, const double* weight, int64_t taps, double* out, int64_t m))

// The adjoint of spline_taps: tile[first[m] + tap] += weight[m][taps] * out[m]
DECLARE_SIMD(spline_taps_adjoint, void,
             (double* tile, const int64_t* first, const double* weight, int64_t taps, const double* out, int64_t m))

// Rows of one channel.
DECLARE_SIMD(cubic_row, void, (const AffineRow&))
DECLARE_SIMD(linear_row, void, (const AffineRow&))

}  // namespace voxelspark
