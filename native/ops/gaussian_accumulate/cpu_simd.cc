#include "device/simd.h"

namespace voxelspark {

static VS_INLINE void add_row(const float* __restrict w, const float* __restrict values, int64_t n, int64_t c,
                              float* __restrict sum) {
  for (int64_t x = 0; x < n; x++)
    for (int64_t k = 0; k < c; k++) sum[x * c + k] += w[x] * values[x * c + k];
}

static VS_INLINE void add_row_backwards(const float* __restrict w, const float* __restrict values, int64_t n, int64_t c,
                                        float* __restrict sum) {
  for (int64_t x = 0; x < n; x++)
    for (int64_t k = 0; k < c; k++) sum[x * c + k] += w[x] * values[k - x * c];
}

// The same loops with the number of channels known, for the usual few.
template <class Row>
static VS_INLINE void by_channels(int64_t c, const Row& row) {
  switch (c) {
    case 1: return row(1);
    case 2: return row(2);
    case 3: return row(3);
    case 4: return row(4);
    default: return row(c);
  }
}

void SIMD(add_weighted_row)(const float* w, const float* values, int64_t n, int64_t c, bool backwards, float* sum,
                            float* weight) {
  constexpr int64_t kOnes = 64;
  static const float ones[kOnes] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  if (!w && !backwards && !weight) {
    for (int64_t i = 0; i < n * c; i++) sum[i] += values[i];
    return;
  }
  const int64_t step = w ? n : kOnes;
  for (int64_t x = 0; x < n; x += step) {
    const int64_t m = n - x < step ? n - x : step;
    const float *row = w ? w : ones, *from = values + (backwards ? -x : x) * c;
    float* to = sum + x * c;
    if (backwards) by_channels(c, [&](int64_t k) { add_row_backwards(row, from, m, k, to); });
    else by_channels(c, [&](int64_t k) { add_row(row, from, m, k, to); });
    if (weight)
      for (int64_t i = 0; i < m; i++) weight[x + i] += row[i];
  }
}

void SIMD(divide_rows)(const float* __restrict weight, int64_t n, int64_t c, float* __restrict sum) {
  for (int64_t x = 0; x < n; x++)
    for (int64_t k = 0; k < c; k++) sum[x * c + k] /= weight[x];
}

}  // namespace voxelspark
