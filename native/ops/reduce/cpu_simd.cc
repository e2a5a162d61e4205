#include "device/simd.h"

namespace voxelspark {

// Four rows at a time: one load and store of the sums serves four additions.
void SIMD(add_columns)(const float* x, int64_t n, int64_t width, double* sums) {
  const int64_t vectors = width / kWide * kWide;
  for (; n >= 4 * width; x += 4 * width, n -= 4 * width) {
    const float *a = x, *b = x + width, *c = x + 2 * width, *d = x + 3 * width;
    for (int64_t k = 0; k < vectors; k += kWide)
      store(sums + k, load(sums + k) + ((widen(a + k) + widen(b + k)) + (widen(c + k) + widen(d + k))));
    for (int64_t k = vectors; k < width; k++) sums[k] += (double(a[k]) + double(b[k])) + (double(c[k]) + double(d[k]));
  }
  for (; n > 0; x += width, n -= width) {
    const int64_t row = n < width ? n : width;
    for (int64_t k = 0; k < row; k++) sums[k] += x[k];
  }
}

void SIMD(add_moments)(const float* x, int64_t n, int64_t width, const double* pivot, double* first, double* second) {
  const int64_t vectors = width / kWide * kWide;
  for (; n >= 2 * width; x += 2 * width, n -= 2 * width) {
    for (int64_t k = 0; k < vectors; k += kWide) {
      const Wide m = load(pivot + k), a = widen(x + k) - m, b = widen(x + width + k) - m;
      store(first + k, load(first + k) + (a + b));
      store(second + k, load(second + k) + (a * a + b * b));
    }
    for (int64_t k = vectors; k < width; k++) {
      const double a = x[k] - pivot[k], b = x[width + k] - pivot[k];
      first[k] += a + b;
      second[k] += a * a + b * b;
    }
  }
  for (; n > 0; x += width, n -= width)
    for (int64_t k = 0; k < (n < width ? n : width); k++) {
      const double a = x[k] - pivot[k];
      first[k] += a;
      second[k] += a * a;
    }
}

constexpr int kStreams = 4;  // independent sums hide the latency of addition

static VS_INLINE double total(const Wide* sums) {
  const Wide all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  double result = 0;
  for (int i = 0; i < kWide; i++) result += all[i];
  return result;
}

double SIMD(square_sum)(const float* x, int64_t n) {
  Wide sums[kStreams] = {};
  int64_t i = 0;
  for (; i + kStreams * kWide <= n; i += kStreams * kWide) VS_UNROLL for (int s = 0; s < kStreams; s++) {
      const Wide v = widen(x + i + s * kWide);
      sums[s] += v * v;
    }
  double rest = 0;
  for (; i < n; i++) rest += double(x[i]) * x[i];
  return total(sums) + rest;
}

double SIMD(squared_difference_sum)(const float* a, const float* b, int64_t n) {
  Wide sums[kStreams] = {};
  int64_t i = 0;
  for (; i + kStreams * kWide <= n; i += kStreams * kWide) VS_UNROLL for (int s = 0; s < kStreams; s++) {
      const Wide v = widen(a + i + s * kWide) - widen(b + i + s * kWide);
      sums[s] += v * v;
    }
  double rest = 0;
  for (; i < n; i++) {
    const double v = double(a[i]) - b[i];
    rest += v * v;
  }
  return total(sums) + rest;
}

}  // namespace voxelspark
