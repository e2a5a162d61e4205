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
float cut_off(const double* terms, uint32_t count, int top) {
  double sum = 0;
  for (uint32_t i = 0; i < count; ++i) sum += std::trunc(std::ldexp(terms[i], kBits - top));
  const double value = std::ldexp(sum, top - kBits);
  const float nearest = static_cast<float>(value);
  return std::fabs(double{nearest}) > std::fabs(value) ? std::nextafter(nearest, 0.0f) : nearest;
}

// The exponent of a product is the sum of its factors': its mantissa may be up to 4.
void truncated(uint32_t columns, const float* a, const float* b, float* d) {
  double terms[kDepth + 1];
  for (uint32_t n = 0; n < columns; ++n) {
    terms[kDepth] = d[n];
    double plain = d[n];
    int top = d[n] != 0 ? std::ilogb(d[n]) : -1000;
    for (uint32_t k = 0; k < kDepth; ++k) {
      const float of_b = b[k * columns + n];
      plain += terms[k] = double{a[k]} * of_b;
      if (terms[k] != 0) top = std::max(top, std::ilogb(a[k]) + std::ilogb(of_b));
    }
    d[n] = std::isfinite(plain) && top > -1000 ? cut_off(terms, kDepth + 1, top) : static_cast<float>(plain);
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
