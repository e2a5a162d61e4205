#include "device/simd.h"
#include "ops/sgd/simd.h"

namespace voxelspark {

static VS_INLINE void step(const SgdStep& s, float* __restrict w, const float* __restrict gradient, float* __restrict v,
                           int64_t n, bool nesterov) {
  const float lr = s.lr, momentum = s.momentum, decay = s.weight_decay, clipping = s.clipping;
  for (int64_t i = 0; i < n; i++) {
    const float g = clipping * gradient[i] + decay * w[i];
    const float velocity = momentum * v[i] + g;
    v[i] = velocity;
    w[i] -= lr * (nesterov ? g + momentum * velocity : velocity);
  }
}

static VS_INLINE void plain_step(const SgdStep& s, float* __restrict w, const float* __restrict gradient, int64_t n) {
  const float lr = s.lr, decay = s.weight_decay, clipping = s.clipping;
  for (int64_t i = 0; i < n; i++) w[i] -= lr * (clipping * gradient[i] + decay * w[i]);
}

void SIMD(sgd_range)(const SgdStep& s, float* w, const float* g, float* v, int64_t n) {
  if (!v) plain_step(s, w, g, n);
  else if (s.nesterov) step(s, w, g, v, n, true);
  else step(s, w, g, v, n, false);
}

}  // namespace voxelspark
