#include "product.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "fragments.h"

namespace ptx {
namespace {

constexpr int kBits = 25;  // that are kept below the largest exponent

// Eight rows by eight columns are what the registers of a processor hold.
using Eight = float __attribute__((vector_size(32)));

void in_order(uint32_t columns, const float* a, const float* b, float* d) {
  Eight sums[8];
  for (uint32_t m = 0; m < 8; ++m) std::memcpy(&sums[m], d + m * columns, sizeof(Eight));
  for (uint32_t k = 0; k < kDepth; ++k) {
    Eight of_b;
    std::memcpy(&of_b, b + k * columns, sizeof of_b);
    for (uint32_t m = 0; m < 8; ++m) sums[m] += a[m * kDepth + k] * of_b;
  }
  for (uint32_t m = 0; m < 8; ++m) std::memcpy(d + m * columns, &sums[m], sizeof(Eight));
}

// A double holds a product of two numbers of 16 bits, and a sum of 17 multiples of 2^(top - 25), without rounding.
float fused(const double* terms, uint32_t count) {
  int top = -1000;
  double plain = 0;
  for (uint32_t i = 0; i < count; ++i) {
    plain += terms[i];
    int exponent;
    if (terms[i] != 0 && std::isfinite(terms[i])) top = std::max(top, (std::frexp(terms[i], &exponent), exponent - 1));
  }
  if (!std::isfinite(plain) || top == -1000) return static_cast<float>(plain);
  double sum = 0;
  for (uint32_t i = 0; i < count; ++i) sum += std::trunc(std::ldexp(terms[i], kBits - top));
  const double value = std::ldexp(sum, top - kBits);
  const float nearest = static_cast<float>(value);
  return std::fabs(static_cast<double>(nearest)) > std::fabs(value) ? std::nextafter(nearest, 0.0f) : nearest;
}

void truncated(uint32_t columns, const float* a, const float* b, float* d) {
  double terms[kDepth + 1];
  for (uint32_t n = 0; n < columns; ++n) {
    for (uint32_t k = 0; k < kDepth; ++k) terms[k] = double{a[k]} * double{b[k * columns + n]};
    terms[kDepth] = d[n];
    d[n] = fused(terms, kDepth + 1);
  }
}

}  // namespace

Sums current_sums() {
  const char* wish = std::getenv("VOXELSPARK_PTX_SUMS");
  return wish && !std::strcmp(wish, "truncated") ? Sums::truncated : Sums::in_order;
}

void multiply(Sums sums, uint32_t rows, uint32_t columns, const float* a, const float* b, float* d) {
  if (sums == Sums::truncated)
    for (uint32_t m = 0; m < rows; ++m) truncated(columns, a + m * kDepth, b, d + m * columns);
  else
    for (uint32_t n = 0; n < columns; n += 8)
      for (uint32_t m = 0; m < rows; m += 8) in_order(columns, a + m * kDepth, b + n, d + m * columns + n);
}

}  // namespace ptx
