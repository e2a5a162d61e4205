#include "ops/columns_simd.h"
#include "ops/pending_simd.h"
#include "ops/residual/simd.h"

namespace voxelspark {

template <bool kPending, class V>
static VS_INLINE V term(const ResidualTerm& t, int64_t i, int64_t k, V lanes) {
  const V x = get(t.values + i, lanes);
  if (!kPending) return x;
  const V z = affine_of(x, get(t.mean + k, lanes), get(t.scale + k, lanes), get(t.shift + k, lanes));
  return activated(z, z, t.slope);
}

template <bool kX, bool kSkip, bool kSkipPending>
static void range(const ResidualTerm& x, const ResidualTerm& skip, float slope, int64_t n, int64_t width, float* y) {
  each_column(
      n, width, [&](int64_t k, int64_t i, auto lanes) __attribute__((always_inline)) {
        auto sum = term<kX>(x, i, k, lanes);
        if constexpr (kSkip) sum += term<kSkipPending>(skip, i, k, lanes);
        put(y + i, activated(sum, sum, slope));
      });
}

void SIMD(residual_range)(const ResidualTerm& x, const ResidualTerm& skip, float slope, int64_t n, int64_t width,
                          float* y) {
  const auto run = !skip.values ? (x.mean ? range<true, false, false> : range<false, false, false>)
                   : skip.mean  ? (x.mean ? range<true, true, true> : range<false, true, true>)
                                : (x.mean ? range<true, true, false> : range<false, true, false>);
  run(x, skip, slope, n, width, y);
}

}  // namespace voxelspark
