// Where a run of voxels of an output row reads in linear affine resampling, for `*_simd.cc` files: the lowest of the
// eight neighbours, the fractions, and whether the place lies inside.
#pragma once
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "device/simd.h"
#include "ops/resample/row.h"

namespace voxelspark {
SIMD_NAMESPACE(places) {

constexpr int kRun = 64;

struct Places {
  int32_t at[kRun];
  float t[3][kRun];
  int32_t inside[kRun];
};

// Steps from a voxel to its neighbour along each axis, none along an axis of one voxel.
struct Steps {
  int32_t z, y, x;
};
static VS_INLINE Steps steps_of(const int64_t size[3]) {
  return {size[0] > 1 ? static_cast<int32_t>(size[1] * size[2]) : 0, size[1] > 1 ? static_cast<int32_t>(size[2]) : 0,
          size[2] > 1 ? 1 : 0};
}

typedef int32_t Index __attribute__((vector_size(kLanes * 4)));
typedef int32_t IndexU __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));
static VS_INLINE Index load(const int32_t* p) { return *reinterpret_cast<const IndexU*>(p); }

static VS_INLINE void store(int32_t* p, Index v) { *reinterpret_cast<IndexU*>(p) = v; }

// from[at] in every lane
static VS_INLINE Vec gather(const float* from, Index at) {
#if defined(__AVX512F__)
  return reinterpret_cast<Vec>(
      _mm512_mask_i32gather_ps(_mm512_setzero_ps(), 0xffff, reinterpret_cast<__m512i>(at), from, 4));
#elif defined(__AVX2__)
  return reinterpret_cast<Vec>(_mm256_i32gather_ps(from, reinterpret_cast<__m256i>(at), 4));
#else
  Vec v = {};
  for (int k = 0; k < kLanes; k++) v[k] = from[at[k]];
  return v;
#endif
}

static VS_INLINE void find_places(const AffineRow& r, int64_t first, Places& p) {
  constexpr double slack = 1e-9;  // rounding of the coordinates must not push a border voxel outside
  const int32_t stride[3] = {static_cast<int32_t>(r.size[1] * r.size[2]), static_cast<int32_t>(r.size[2]), 1};
  for (int i = 0; i < kRun; i++) {
    p.at[i] = 0;
    p.inside[i] = 1;
  }
  for (int a = 0; a < 3; a++) {
    const double start = r.start[a], step = r.step[a], top = static_cast<double>(r.size[a] - 1);
    const int32_t last = r.size[a] > 1 ? static_cast<int32_t>(r.size[a] - 2) : 0;
    for (int i = 0; i < kRun; i++) {
      const double c = start + static_cast<double>(static_cast<int32_t>(first) + i) * step;
      p.inside[i] &= (c >= -slack) & (c <= top + slack);
      const double low = c < 0 ? 0 : c, place = low > top ? top : low;
      const int32_t whole = static_cast<int32_t>(place), k = whole > last ? last : whole;
      p.t[a][i] = static_cast<float>(place - static_cast<double>(k));
      p.at[i] += k * stride[a];
    }
  }
}

}  // SIMD_NAMESPACE(places)
using namespace SIMD(places);
}  // namespace voxelspark
