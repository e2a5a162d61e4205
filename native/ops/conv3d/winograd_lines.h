// One-dimensional Winograd transforms, for SIMD files: F(2,3) on the points 0, 1, -1, infinity and F(4,3) on
// 0, 1, -1, 2, -2, infinity (Lavin and Gray 2016). Three-dimensional ones nest them.
#pragma once
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "device/simd.h"
#include "ops/conv3d/rows.h"

#define WINOGRAD_NAMESPACE SIMD(winograd)

namespace voxelspark {
namespace WINOGRAD_NAMESPACE {

// Accumulators, two vectors of the other factor and one broadcast value fill the register file.
#if defined(__AVX2__) || defined(__aarch64__)
constexpr int kRows = VS_ROWS;
#define WINOGRAD_ROWS VS_ALL_ROWS
#else
constexpr int kRows = 6;
#define WINOGRAD_ROWS VS_ROWS_TO_6
#endif
constexpr int kPanel = 2 * kLanes;

template <int kTile>
constexpr int kPoints = kTile + 2;

// The first n values, zeros behind; nothing beyond them is touched.
VS_INLINE Vec load_first(const float* p, int64_t n) {
#if defined(__AVX512F__)
  return reinterpret_cast<Vec>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p));
#elif defined(__AVX2__)
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i live = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lane);
  return reinterpret_cast<Vec>(_mm256_maskload_ps(p, live));
#else
  float all[kLanes] = {};
  for (int64_t i = 0; i < n; i++) all[i] = p[i];
  return load(all);
#endif
}
VS_INLINE void store_first(float* p, Vec v, int64_t n) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), reinterpret_cast<__m512>(v));
#elif defined(__AVX2__)
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i live = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lane);
  _mm256_maskstore_ps(p, live, reinterpret_cast<__m256>(v));
#else
  float all[kLanes];
  store(all, v);
  for (int64_t i = 0; i < n; i++) p[i] = all[i];
#endif
}

// Input: B^T d, in place; v[i * step].
template <int kTile>
VS_INLINE void input_line(Vec* v) {
  if constexpr (kTile == 2) {
    const Vec a = v[0] - v[2], b = v[1] + v[2], c = v[2] - v[1], d = v[1] - v[3];
    v[0] = a;
    v[1] = b;
    v[2] = c;
    v[3] = d;
  } else {
    const Vec p = v[4] - 4.0f * v[2], q = v[3] - 4.0f * v[1], r = v[4] - v[2], s = v[3] - v[1];
    v[0] = 4.0f * v[0] + (v[4] - 5.0f * v[2]);
    v[5] = 4.0f * v[1] + (v[5] - 5.0f * v[3]);
    v[1] = p + q;
    v[2] = p - q;
    v[3] = r + 2.0f * s;
    v[4] = r - 2.0f * s;
  }
}

// One line of a transform of depth: first * row a + second * row b. By the frequency, counted from 1.
struct DepthPair {
  int a, b;
  float first, second;
};
constexpr DepthPair kInputDepths[5] = {{}, {0, 2, 1, -1}, {1, 2, 1, 1}, {2, 1, 1, -1}, {1, 3, 1, -1}};
constexpr DepthPair kGradientDepths[5] = {{}, {0, 1, 1, 0}, {0, 1, 1, 1}, {0, 1, 1, -1}, {0, 1, 0, -1}};

// Output: A^T m.
template <int kTile>
VS_INLINE void output_line(const Vec* m, Vec* y, int step) {
  if constexpr (kTile == 2) {
    y[0] = m[0] + (m[1] + m[2]);
    y[step] = (m[1] - m[2]) - m[3];
  } else {
    const Vec s = m[1] + m[2], t = m[1] - m[2], u = m[3] + m[4], v = m[3] - m[4];
    y[0] = (m[0] + s) + u;
    y[step] = t + 2.0f * v;
    y[2 * step] = s + 4.0f * u;
    y[3 * step] = (t + 8.0f * v) + m[5];
  }
}

// Weights: G g.
template <int kTile>
VS_INLINE void weight_line(Vec a, Vec b, Vec c, Vec* o, int step) {
  if constexpr (kTile == 2) {
    const Vec s = 0.5f * (a + c), h = 0.5f * b;
    o[0] = a;
    o[step] = s + h;
    o[2 * step] = s - h;
    o[3 * step] = c;
  } else {
    const Vec s = (-1.0f / 6) * (a + c), h = (-1.0f / 6) * b;
    const Vec u = (1.0f / 24) * a + (1.0f / 6) * c, v = (1.0f / 12) * b;
    o[0] = 0.25f * a;
    o[step] = s + h;
    o[2 * step] = s - h;
    o[3 * step] = u + v;
    o[4 * step] = u - v;
    o[5 * step] = c;
  }
}

// Adjoint of the output transform, A y, for the weight gradient.
template <int kTile>
VS_INLINE void gradient_line(const Vec* y, Vec* o, int step) {
  if constexpr (kTile == 2) {
    o[0] = y[0];
    o[step] = y[0] + y[1];
    o[2 * step] = y[0] - y[1];
    o[3 * step] = -y[1];
  } else {
    const Vec even = y[0] + y[2], odd = y[1] + y[3], p = y[0] + 4.0f * y[2], q = 2.0f * (y[1] + 4.0f * y[3]);
    o[0] = y[0];
    o[step] = even + odd;
    o[2 * step] = even - odd;
    o[3 * step] = p + q;
    o[4 * step] = p - q;
    o[5 * step] = y[3];
  }
}

// Adjoint of the weight transform, G^T u.
template <int kTile>
VS_INLINE void tap_line(const Vec* u, Vec* o, int step) {
  if constexpr (kTile == 2) {
    const Vec s = 0.5f * (u[1] + u[2]);
    o[0] = u[0] + s;
    o[step] = 0.5f * (u[1] - u[2]);
    o[2 * step] = s + u[3];
  } else {
    const Vec s = (-1.0f / 6) * (u[1] + u[2]), t = u[3] + u[4];
    o[0] = (0.25f * u[0] + s) + (1.0f / 24) * t;
    o[step] = (-1.0f / 6) * (u[1] - u[2]) + (1.0f / 12) * (u[3] - u[4]);
    o[2 * step] = (s + (1.0f / 6) * t) + u[5];
  }
}

}  // namespace WINOGRAD_NAMESPACE
}  // namespace voxelspark
