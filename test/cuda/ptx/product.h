// What a matrix product computes: D = A B + D over 16 of k, in one of two models of its sums. The ISA leaves them open
// (9.7.14.5: "single precision at least"; order, rounding and subnormals unspecified).
#pragma once
#include <cstdint>

namespace ptx {

enum class Sums {
  // One product after the other, in ascending k, added to D in float32, rounded to nearest.
  in_order,
  // As measured on H100 and modelled by Xie et al. 2025, "MMA-Sim", arXiv:2511.10909 (in their code: 25 fractional
  // bits,
  // 16 products and D at once): all are shifted to the largest exponent among them, cut off 25 bits below it, added
  // exactly, and the sum is cut off to float32.
  truncated
};

// VOXELSPARK_PTX_SUMS=truncated
Sums current_sums();

// For multiples of 8 rows and columns: d[row * columns + column] += sum over k of a[row * 16 + k] * b[k * columns +
// column]
void multiply(Sums sums, uint32_t rows, uint32_t columns, const float* a, const float* b, float* d);

}  // namespace ptx
