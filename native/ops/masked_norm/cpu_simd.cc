#include "device/simd.h"
#include "ops/masked_norm/simd.h"
#include "ops/pending_simd.h"

namespace voxelspark {

// Calls body(column, element, lanes tag) over rows of `width` columns: vectors first, then single elements.
template <class Body>
static VS_INLINE void each_column(int64_t n, int64_t width, const Body& body) {
  for (int64_t row = 0; row < n; row += width) {
    const int64_t columns = n - row < width ? n - row : width;
    int64_t k = 0;
    for (; k + kLanes <= columns; k += kLanes) body(k, row + k, Vec{});
    for (; k < columns; k++) body(k, row + k, 0.0f);
  }
}

static VS_INLINE Vec get(const float* p, Vec) { return load(p); }
static VS_INLINE float get(const float* p, float) { return *p; }
static VS_INLINE void put(float* p, Vec v) { store(p, v); }
static VS_INLINE void put(float* p, float v) { *p = v; }

void SIMD(norm_apply)(const float* x, int64_t n, int64_t width, const NormColumns& p, float* y) {
  each_column(
      n, width, [&](int64_t k, int64_t i, auto lanes) __attribute__((always_inline)) {
        const auto z =
            affine_of(get(x + i, lanes), get(p.mean + k, lanes), get(p.scale + k, lanes), get(p.shift + k, lanes));
        put(y + i, activated(z, z, p.slope));
      });
}

void SIMD(norm_gradient)(const float* x, const float* gy, int64_t n, int64_t width, const NormColumns& p,
                         const float* mean_g, const float* mean_gx, float* gx) {
  each_column(
      n, width, [&](int64_t k, int64_t i, auto lanes) __attribute__((always_inline)) {
        const auto value = get(x + i, lanes), mean = get(p.mean + k, lanes), scale = get(p.scale + k, lanes);
        const auto z = affine_of(value, mean, scale, get(p.shift + k, lanes));
        const auto xhat = (value - mean) * get(p.inverse_std + k, lanes);
        const auto g = activated(z, get(gy + i, lanes), p.slope);
        put(gx + i, scale * (g - get(mean_g + k, lanes) - xhat * get(mean_gx + k, lanes)));
      });
}

}  // namespace voxelspark
