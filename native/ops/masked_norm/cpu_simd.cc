#include "ops/columns_simd.h"
#include "ops/masked_norm/simd.h"
#include "ops/pending_simd.h"

namespace voxelspark {

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
