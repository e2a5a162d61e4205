// Transforms and register tile of the Winograd weight gradient. Compiled once per instruction set; see device/simd.h.
#include "ops/conv3d/winograd_lines.h"
#include "ops/conv3d/winograd_simd.h"

namespace voxelspark {
namespace WINOGRAD_NAMESPACE {

template <class Load>
VS_INLINE void transform_gradient(Load at, float* g, int64_t step) {
  Vec x[4][4], y[2][16];
  VS_UNROLL for (int z = 0; z < 2; z++) {
    VS_UNROLL for (int i = 0; i < 2; i++) gradient_line(at(z * 4 + i * 2), at(z * 4 + i * 2 + 1), x[z * 2 + i], 1);
    VS_UNROLL for (int i = 0; i < 4; i++) gradient_line(x[z * 2][i], x[z * 2 + 1][i], y[z] + i, 4);
  }
  VS_UNROLL for (int i = 0; i < 16; i++) {
    Vec o[4];
    gradient_line(y[0][i], y[1][i], o, 1);
    VS_UNROLL for (int z = 0; z < 4; z++) store(g + (z * 16 + i) * step, o[z]);
  }
}

// sums[T][W] (+)= over n tiles g[T] * v[W]
template <int T, int W>
__attribute__((noinline)) void outer(const WinogradOuter& o, const float* v, const float* g, float* sums) {
  Vec sum[T][W];
  VS_UNROLL for (int t = 0; t < T; t++) VS_UNROLL for (int j = 0; j < W; j++) sum[t][j] =
      o.fresh ? Vec{} : load(sums + (t * W + j) * kLanes);
  const int64_t block = o.v_block_stride, g_step = o.g_stride;
  for (int i = 0; i < o.tiles; i++, v += kLanes, g += g_step) {
    Vec x[W];
    VS_UNROLL for (int j = 0; j < W; j++) x[j] = load(v + j * block);
    VS_UNROLL for (int t = 0; t < T; t++) {
      const Vec y = all(g[t]);
      VS_UNROLL for (int j = 0; j < W; j++) sum[t][j] += y * x[j];
    }
  }
  VS_UNROLL for (int t = 0; t < T; t++) VS_UNROLL for (int j = 0; j < W; j++)
      store(sums + (t * W + j) * kLanes, sum[t][j]);
}

using Outer = void (*)(const WinogradOuter&, const float*, const float*, float*);
static const Outer outers[2][kRows] = {{WINOGRAD_ROWS(outer, 1)}, {WINOGRAD_ROWS(outer, 2)}};

}  // namespace WINOGRAD_NAMESPACE

void SIMD(winograd_gradient)(const WinogradGradient& w) {
  using namespace WINOGRAD_NAMESPACE;
  int64_t k = 0;
  for (; k + kLanes <= w.channels; k += kLanes)
    transform_gradient([&](int i) { return load(w.at[i] + k); }, w.g + k, w.frequency_stride);
  if (k < w.channels)
    transform_gradient([&](int i) { return load_first(w.at[i] + k, w.channels - k); }, w.g + k, w.frequency_stride);
}

void SIMD(winograd_outer)(const WinogradOuter& o) {
  using namespace WINOGRAD_NAMESPACE;
  const int64_t groups = (o.outputs + kRows - 1) / kRows;
  float* sums = o.sums;
  const float* v = o.v;
  for (int64_t c = 0; c < o.channels; c += kPanel, v += 2 * o.v_block_stride) {
    const int vectors = o.channels - c > kLanes ? 2 : 1;
    for (int64_t i = 0; i < groups; i++) {
      const int64_t a = o.outputs * i / groups, b = o.outputs * (i + 1) / groups;
      outers[vectors - 1][b - a - 1](o, v, o.g + a, sums + a * vectors * kLanes);
    }
    sums += o.outputs * vectors * kLanes;
  }
}

void SIMD(winograd_taps)(const WinogradTaps& w) {
  using namespace WINOGRAD_NAMESPACE;
  Vec x[16][3], y[4][9];
  for (int i = 0; i < 16; i++) {
    Vec m[4];
    for (int j = 0; j < 4; j++) {
      const float* from = w.sums + (i * 4 + j) * w.frequency_stride;
      m[j] = load(from);
      for (int s = 1; s < w.slots; s++) m[j] += load(from + s * w.slot_stride);
    }
    tap_line(m[0], m[1], m[2], m[3], x[i], 1);
  }
  for (int z = 0; z < 4; z++)
    for (int i = 0; i < 3; i++) tap_line(x[z * 4][i], x[z * 4 + 1][i], x[z * 4 + 2][i], x[z * 4 + 3][i], y[z] + i, 3);
  for (int i = 0; i < 9; i++) {
    Vec o[3];
    tap_line(y[0][i], y[1][i], y[2][i], y[3][i], o, 1);
    for (int z = 0; z < 3; z++) {
      float* to = w.gw + (z * 9 + i) * w.tap_stride;
      if (w.channels >= kLanes) store(to, o[z]);
      else store_first(to, o[z], w.channels);
    }
  }
}

}  // namespace voxelspark
