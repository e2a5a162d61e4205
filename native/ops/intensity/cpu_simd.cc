#include "device/vector_math.h"
#include "ops/intensity/simd.h"

namespace voxelspark {

void SIMD(intensity_moments)(const float* x, int64_t n, float pivot, IntensityMoments* m) {
  Vec low = all(x[0]), high = low;
  Wide sum = {}, squares = {}, sum2 = {}, squares2 = {};
  const double p = pivot;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Vec v = load(x + i);
    low = v < low ? v : low;
    high = v > high ? v : high;
    const Wide a = widen(x + i) - p, b = widen(x + i + kWide) - p;
    sum += a;
    sum2 += b;
    squares += a * a;
    squares2 += b * b;
  }
  sum += sum2;
  squares += squares2;
  *m = {x[0], x[0], 0, 0};
  for (int k = 0; k < kLanes; k++) {
    m->low = low[k] < m->low ? low[k] : m->low;
    m->high = high[k] > m->high ? high[k] : m->high;
  }
  for (int k = 0; k < kWide; k++) {
    m->sum += sum[k];
    m->squares += squares[k];
  }
  for (; i < n; i++) {
    m->low = x[i] < m->low ? x[i] : m->low;
    m->high = x[i] > m->high ? x[i] : m->high;
    const double v = x[i] - p;
    m->sum += v;
    m->squares += v * v;
  }
}

void SIMD(intensity_line)(float* x, int64_t n, float a, float b, float low, float high) {
  for (int64_t i = 0; i < n; i++) {
    const float v = x[i] * a + b;
    const float w = v < low ? low : v;
    x[i] = w > high ? high : w;
  }
}

void SIMD(intensity_curve)(float* x, int64_t n, const GammaCurve& curve) {
  const GammaCurve c = curve;
  for (int64_t i = 0; i < n; i++) {
    const float t = (c.sign * x[i] - c.low) * c.inverse_range;
    const bool lowest = t < 1e-37f;
    const Split s = split(choose(lowest, 1e-37f, t));
    const float log2 = static_cast<float>(s.exponent) + log_near_one(s.fraction) * 1.44269504f;
    const float power = power_of_two(log2 * c.exponent);
    x[i] = choose(lowest, 0.0f, power) * c.range + c.low;
  }
}

}  // namespace voxelspark
