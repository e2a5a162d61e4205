// Reductions that several ops share. Elements are float, sums double. Element i belongs to column i % width,
// so a run of channels-last voxels is reduced to its channels when width is a multiple of their number (see
// columns.h).
#pragma once
#include <stdint.h>

#include "device/isa.h"

namespace voxelspark {

DECLARE_SIMD(add_columns, void, (const float* x, int64_t n, int64_t width, double* sums))
// Of x - pivot: first += sum, second += sum of squares, a column.
DECLARE_SIMD(add_moments, void,
             (const float* x, int64_t n, int64_t width, const double* pivot, double* first, double* second))
// Of n elements of g, the gradient of a map that is pending on x: sums[column] += g act', sums[width + column] +=
// g act' (x - mean); affine holds mean, scale and shift, a row of columns each.
DECLARE_SIMD(add_norm_sums, void,
             (const float* x, const float* g, int64_t n, int64_t width, const float* affine, float slope, double* sums))
DECLARE_SIMD(square_sum, double, (const float* x, int64_t n))
DECLARE_SIMD(squared_difference_sum, double, (const float* a, const float* b, int64_t n))

}  // namespace voxelspark
