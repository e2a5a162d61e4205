// Compiled once per instruction set; see device/simd.h for what such a file may include.
#include "ops/resample/places.h"

namespace voxelspark {

SIMD_NAMESPACE(spline) {

typedef double Row __attribute__((vector_size(kLines * 8)));
typedef double RowU __attribute__((vector_size(kLines * 8), aligned(8), may_alias));
typedef float Quad __attribute__((vector_size(16)));
typedef float QuadU __attribute__((vector_size(16), aligned(4), may_alias));

VS_INLINE double power(double base, int64_t n) {
  double result = 1;
  for (int64_t i = 0; i < n && i < 1100; i++) result *= base;  // |pole|^1100 is 0 in double
  return result;
}

VS_INLINE int64_t floor_of(double v) {
  const int64_t k = static_cast<int64_t>(v);
  return k - (v < static_cast<double>(k));
}

VS_INLINE int64_t mirrored(int64_t k, int64_t n) {
  if (n == 1) return 0;
  if (k < 0) k = -k;
  const int64_t period = 2 * (n - 1);
  k %= period;
  return k < n ? k : period - k;
}

VS_INLINE void weights(float t, float w[4]) {
  const float u = 1 - t;
  w[0] = u * u * u * (1.f / 6);
  w[1] = (4 - 3 * t * t * (2 - t)) * (1.f / 6);
  w[2] = (4 - 3 * u * u * (2 - u)) * (1.f / 6);
  w[3] = t * t * t * (1.f / 6);
}

// Sixteen rows of four neighbours, combined along z and y first: 16 multiply-adds of a quad.
VS_INLINE float interior(const AffineRow& r, const int64_t k[3], float w[3][4]) {
  const int64_t row = r.size[2], plane = r.size[1] * row;
  const float* from = r.volume + (k[0] - 1) * plane + (k[1] - 1) * row + k[2] - 1;
  Quad sum = {0, 0, 0, 0};
  for (int z = 0; z < 4; z++) {
    Quad layer = {0, 0, 0, 0};
    for (int y = 0; y < 4; y++) {
      const Quad v = *reinterpret_cast<const QuadU*>(from + z * plane + y * row);
      layer += w[1][y] * v;
    }
    sum += w[0][z] * layer;
  }
  return (sum[0] * w[2][0] + sum[1] * w[2][1]) + (sum[2] * w[2][2] + sum[3] * w[2][3]);
}

inline float border(const AffineRow& r, const int64_t k[3], float w[3][4]) {
  int64_t at[3][4];
  for (int a = 0; a < 3; a++)
    for (int t = 0; t < 4; t++) at[a][t] = mirrored(k[a] - 1 + t, r.size[a]);
  float sum = 0;
  for (int z = 0; z < 4; z++)
    for (int y = 0; y < 4; y++) {
      const float* row = r.volume + (at[0][z] * r.size[1] + at[1][y]) * r.size[2];
      float line = 0;
      for (int x = 0; x < 4; x++) line += w[2][x] * row[at[2][x]];
      sum += w[0][z] * w[1][y] * line;
    }
  return sum;
}

}  // SIMD_NAMESPACE(spline)

void SIMD(spline_filter)(double* tile, int64_t n, bool edge) {
  using namespace SIMD(spline);
  RowU* rows = reinterpret_cast<RowU*>(tile);
  const double z = kPole;
  if (n == 1) return;  // a constant is its own spline
  for (int64_t k = 0; k < n; k++) rows[k] = rows[k] * 6.0;
  const Row last = rows[n - 1];
  if (edge) {
    rows[0] = rows[0] * (1 / (1 - z));  // geometric sum over the constant history
  } else {
    const int64_t reach = n < 64 ? n : 64;  // |pole|^64 < 1e-36
    const double whole = power(z, n - 1);
    double zk = z;
    Row sum = rows[0] + whole * last;
    for (int64_t k = 1; k < (n <= 64 ? n - 1 : reach); k++, zk *= z)
      sum = sum + (zk + (n <= 64 ? whole * whole / zk : 0.0)) * rows[k];
    rows[0] = sum * (1 / (1 - whole * whole));
  }
  for (int64_t k = 1; k < n; k++) rows[k] = rows[k] + z * rows[k - 1];
  if (edge) {
    // Sum of z^j over the causal values behind the end, which approach last / (1 - z) geometrically.
    const Row limit = last * (1 / (1 - z));
    rows[n - 1] = -z * (limit * (1 / (1 - z)) + (rows[n - 1] - limit) * (1 / (1 - z * z)));
  } else {
    rows[n - 1] = (z / (z * z - 1)) * (z * rows[n - 2] + rows[n - 1]);
  }
  for (int64_t k = n - 2; k >= 0; k--) rows[k] = z * (rows[k + 1] - rows[k]);
}

void SIMD(spline_taps)(const double* tile, const int64_t* first, const double* weight, int64_t taps, double* out,
                       int64_t m) {
  using namespace SIMD(spline);
  const RowU* rows = reinterpret_cast<const RowU*>(tile);
  RowU* to = reinterpret_cast<RowU*>(out);
  for (int64_t i = 0; i < m; i++, weight += taps) {
    const RowU* from = rows + first[i];
    if (taps == 4) to[i] = weight[0] * from[0] + weight[1] * from[1] + weight[2] * from[2] + weight[3] * from[3];
    else if (taps == 2) to[i] = weight[0] * from[0] + weight[1] * from[1];
    else to[i] = from[0];
  }
}

// Every line of spline_filter, last to first, with inputs and outputs exchanged.
void SIMD(spline_filter_adjoint)(double* tile, int64_t n, bool edge) {
  using namespace SIMD(spline);
  RowU* g = reinterpret_cast<RowU*>(tile);
  const double z = kPole;
  if (n == 1) return;
  for (int64_t k = 0; k + 1 < n; k++) {
    g[k + 1] = g[k + 1] + z * g[k];
    g[k] = -z * g[k];
  }
  Row last = g[n - 1] * 0.0;  // what reaches the last sample other than through the recursion
  if (edge) {
    last = g[n - 1] * (-z * (1 / (1 - z) - 1 / (1 - z * z)) / (1 - z));
    g[n - 1] = g[n - 1] * (-z / (1 - z * z));
  } else {
    const double end = z / (z * z - 1);
    g[n - 2] = g[n - 2] + end * z * g[n - 1];
    g[n - 1] = end * g[n - 1];
  }
  for (int64_t k = n - 1; k >= 1; k--) g[k - 1] = g[k - 1] + z * g[k];
  if (edge) {
    g[0] = g[0] * (1 / (1 - z));
  } else {
    const int64_t reach = n < 64 ? n : 64;
    const double whole = power(z, n - 1);
    const Row sum = g[0] * (1 / (1 - whole * whole));
    double zk = z;
    g[0] = sum;
    last = whole * sum;
    for (int64_t k = 1; k < (n <= 64 ? n - 1 : reach); k++, zk *= z)
      g[k] = g[k] + (zk + (n <= 64 ? whole * whole / zk : 0.0)) * sum;
  }
  g[n - 1] = g[n - 1] + last;
  for (int64_t k = 0; k < n; k++) g[k] = g[k] * 6.0;
}

void SIMD(spline_taps_adjoint)(double* tile, const int64_t* first, const double* weight, int64_t taps,
                               const double* out, int64_t m) {
  using namespace SIMD(spline);
  RowU* rows = reinterpret_cast<RowU*>(tile);
  const RowU* from = reinterpret_cast<const RowU*>(out);
  for (int64_t i = 0; i < m; i++)
    for (int64_t t = 0; t < taps; t++) rows[first[i] + t] = rows[first[i] + t] + *weight++ * from[i];
}

void SIMD(cubic_row)(const AffineRow& r) {
  using namespace SIMD(spline);
  constexpr double slack = 1e-9;  // rounding of the coordinates must not push a border voxel outside
  for (int64_t i = 0; i < r.count; i++) {
    int64_t k[3];
    float w[3][4];
    bool inside = true, inner = true;
    for (int a = 0; a < 3; a++) {
      double at = r.start[a] + static_cast<double>(i) * r.step[a];
      const double top = static_cast<double>(r.size[a] - 1);
      inside = inside && at >= -slack && at <= top + slack;
      at = at < 0 ? 0 : at > top ? top : at;
      k[a] = floor_of(at);
      weights(static_cast<float>(at - static_cast<double>(k[a])), w[a]);
      inner = inner && k[a] >= 1 && k[a] + 2 < r.size[a];
    }
    r.out[i] = !inside ? r.outside : inner ? interior(r, k, w) : border(r, k, w);
  }
}

void SIMD(linear_row)(const AffineRow& r) {
  const Steps step = steps_of(r.size);
  Places p;
  for (int64_t first = 0; first < r.count; first += kRun) {
    find_places(r, first, p);
    float value[kRun];
    const float *v = r.volume, *vx = v + step.x;
    for (int i = 0; i < kRun; i += kLanes) {
      const Index a = load(p.at + i), b = a + step.y, c = a + step.z, d = c + step.y;
      const Vec tx = load(p.t[2] + i), ty = load(p.t[1] + i), tz = load(p.t[0] + i);
      // Weights 0 and 1 must leave a voxel as it is.
      const Vec sx = 1 - tx, sy = 1 - ty, sz = 1 - tz;
      const Vec e = sx * gather(v, a) + tx * gather(vx, a), f = sx * gather(v, b) + tx * gather(vx, b);
      const Vec g = sx * gather(v, c) + tx * gather(vx, c), h = sx * gather(v, d) + tx * gather(vx, d);
      const Vec near = sy * e + ty * f, far = sy * g + ty * h;
      store(value + i, load(p.inside + i) != 0 ? sz * near + tz * far : all(r.outside));
    }
    const int64_t left = r.count - first;
    for (int64_t i = 0; i < (left < kRun ? left : kRun); i++) r.out[first + i] = value[i];
  }
}

}  // namespace voxelspark
