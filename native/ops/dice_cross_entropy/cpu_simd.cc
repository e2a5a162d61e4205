#include "device/simd.h"
#include "ops/dice_cross_entropy/simd.h"

namespace voxelspark {

// exp(x) for x <= 0 to about one unit in the last place: 2^n e^r with |r| <= ln 2 / 2. NaN stays NaN.
static VS_INLINE float exp_below(float x) {
  x = x < -87.0f ? -87.0f : x;
  const int32_t n = static_cast<int32_t>(x * 1.44269504f - 0.5f);
  const float k = static_cast<float>(n);
  const float r = (x - k * 0.693359375f) + k * 2.12194440e-4f;  // ln 2 in two parts, the first short enough to be exact
  float e = 1.3888889e-3f;                                      // Taylor coefficients 1/6!, 1/5!, …
  e = e * r + 8.3333333e-3f;
  e = e * r + 4.1666667e-2f;
  e = e * r + 1.6666667e-1f;
  e = e * r + 0.5f;
  e = e * r + 1.0f;
  e = e * r + 1.0f;
  const int32_t bits = (n + 127) << 23;
  return e * __builtin_bit_cast(float, bits);
}

void SIMD(planar_softmax)(const float* __restrict z, int64_t voxels, int64_t channels, float* __restrict p,
                          float* __restrict largest, float* __restrict total) {
  for (int64_t v = 0; v < voxels; v++) largest[v] = z[v];
  for (int64_t c = 1; c < channels; c++)
    for (int64_t v = 0; v < voxels; v++) {
      const float x = z[c * kDiceBlock + v];
      largest[v] = x > largest[v] ? x : largest[v];
    }
  for (int64_t v = 0; v < voxels; v++) total[v] = 0;
  for (int64_t c = 0; c < channels; c++)
    for (int64_t v = 0; v < voxels; v++) {
      const float e = exp_below(z[c * kDiceBlock + v] - largest[v]);
      p[c * kDiceBlock + v] = e;
      total[v] += e;
    }
  for (int64_t c = 0; c < channels; c++)
    for (int64_t v = 0; v < voxels; v++) p[c * kDiceBlock + v] /= total[v];
}

void SIMD(planar_sigmoid)(const float* __restrict z, int64_t voxels, int64_t channels, float* __restrict p,
                          float* __restrict tail) {
  for (int64_t c = 0; c < channels; c++)
    for (int64_t v = 0; v < voxels; v++) {
      const int64_t i = c * kDiceBlock + v;
      const float e = exp_below(z[i] < 0 ? z[i] : -z[i]);
      tail[i] = e;
      p[i] = (z[i] < 0 ? e : 1.0f) / (1.0f + e);
    }
}

void SIMD(planar_dice_gradient)(const DiceGradient& d, float* __restrict gz) {
  float mean[kDiceBlock];
  for (int64_t v = 0; v < d.voxels; v++) mean[v] = 0;
  for (int64_t c = 0; d.softmax && c < d.channels; c++) {
    const float a = d.coefficients[2 * c], b = d.coefficients[2 * c + 1];
    const float *p = d.p + c * kDiceBlock, *g = d.g + c * kDiceBlock;
    for (int64_t v = 0; v < d.voxels; v++) mean[v] += (a * g[v] + b) * p[v];
  }
  for (int64_t c = 0; c < d.channels; c++) {
    const float a = d.coefficients[2 * c], b = d.coefficients[2 * c + 1];
    const float *p = d.p + c * kDiceBlock, *g = d.g + c * kDiceBlock;
    float* to = gz + c * kDiceBlock;
    for (int64_t v = 0; v < d.voxels; v++) {
      const float h = a * g[v] + b;
      const float dice = p[v] * (d.softmax ? h - mean[v] : h * (1.0f - p[v]));
      to[v] = d.counts[v] != 0 ? d.gloss * (dice + d.scale * (p[v] - g[v])) : 0.0f;
    }
  }
}

}  // namespace voxelspark
