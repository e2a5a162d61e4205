// Transforms and register tile of the Winograd weight gradient. Compiled once per instruction set; see device/simd.h.
#include "ops/conv3d/winograd_lines.h"
#include "ops/conv3d/winograd_simd.h"
#include "ops/pending_simd.h"

namespace voxelspark {
namespace WINOGRAD_NAMESPACE {

// Height and width: y[H][H] of the values at(i), i = y * kTile + x.
template <int kTile, class Load>
VS_INLINE void gradient_plane(Load at, Vec* y) {
  constexpr int H = kPoints<kTile>;
  Vec x[kTile][H], column[kTile];
  VS_UNROLL for (int i = 0; i < kTile; i++) {
    VS_UNROLL for (int j = 0; j < kTile; j++) column[j] = at(i * kTile + j);
    gradient_line<kTile>(column, x[i], 1);
  }
  VS_UNROLL for (int j = 0; j < H; j++) {
    VS_UNROLL for (int i = 0; i < kTile; i++) column[i] = x[i][j];
    gradient_line<kTile>(column, y + j, H);
  }
}

template <int kTile, class Load>
VS_INLINE void transform_gradient(Load at, const WinogradGradient& w, float* g) {
  constexpr int H = kPoints<kTile>, kPlane = kTile * kTile;
  const int64_t step = w.frequency_stride;
  Vec y[2][H * H];
  if (w.only) {
    const DepthPair pair = kGradientDepths[w.only];
    gradient_plane<kTile>([&](int i) { return pair.first * at(i) + pair.second * at(kPlane + i); }, y[0]);
    VS_UNROLL for (int i = 0; i < H * H; i++) store(g + i * step, y[0][i]);
    return;
  }
  VS_UNROLL for (int z = 0; z < 2; z++) gradient_plane<kTile>([&](int i) { return at(z * kPlane + i); }, y[z]);
  VS_UNROLL for (int i = 0; i < H * H; i++) {
    const Vec pair[2] = {y[0][i], y[1][i]};
    Vec o[4];
    gradient_line<2>(pair, o, 1);
    VS_UNROLL for (int z = 0; z < 4; z++) store(g + (z * H * H + i) * step, o[z]);
  }
}

template <int kTile>
static void gradient(const WinogradGradient& w) {
  for (int64_t k = 0; k < w.channels; k += kLanes) {
    const int64_t valid = w.channels - k;
    const auto read = [&](const float* p) { return valid >= kLanes ? load(p + k) : load_first(p + k, valid); };
    if (!w.affine) {
      transform_gradient<kTile>([&](int i) { return read(w.at[i]); }, w, w.g + k);
      continue;
    }
    const Vec mean = read(w.affine), scale = read(w.affine + w.channels), shift = read(w.affine + 2 * w.channels);
    const auto normalised = [&](int i) {
      if (!(w.live >> i & 1)) return Vec{};
      const Vec z = affine_of(read(w.at[i]), mean, scale, shift);
      return activated(z, z, w.slope);
    };
    transform_gradient<kTile>(normalised, w, w.g + k);
  }
}

// sums[T][W] (+)= over n tiles g[T] * v[W]
template <int T, int W>
__attribute__((noinline)) void outer(const WinogradOuter& o, const float* v, const float* g, float* sums) {
  Vec sum[T][W];
  VS_UNROLL for (int t = 0; t < T; t++) VS_UNROLL for (int j = 0; j < W; j++) sum[t][j] =
      o.fresh ? Vec{} : load(sums + (t * W + j) * kLanes);
  const int64_t block = o.v_block_stride, g_step = o.g_stride;
  const float* ahead = sums + T * W * kLanes;  // the next group's sums, which may lie in the L3
  for (int i = 0; i < o.tiles; i++, v += kLanes, g += g_step) {
    Vec x[W];
    VS_UNROLL for (int j = 0; j < W; j++) x[j] = load(v + j * block);
    VS_UNROLL for (int j = 0; j < W; j++, ahead += kLanes) __builtin_prefetch(ahead, 1);
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

// From all frequencies of a vector of sums to its 27 taps.
template <int kTile>
static void taps(const WinogradTaps& w) {
  constexpr int H = kPoints<kTile>;
  const auto sum = [&](int frequency) {
    const float* from = w.sums + frequency * w.frequency_stride;
    Vec total = load(from);
    for (int s = 1; s < w.slots; s++) total += load(from + s * w.slot_stride);
    return total;
  };
  Vec planes[4][9];
  for (int z = 0; z < 4; z++) {
    Vec x[3][H], column[H];
    for (int i = 0; i < H; i++) {
      for (int j = 0; j < H; j++) column[j] = sum((z * H + i) * H + j);
      Vec o[3];
      tap_line<kTile>(column, o, 1);
      for (int j = 0; j < 3; j++) x[j][i] = o[j];
    }
    for (int j = 0; j < 3; j++) tap_line<kTile>(x[j], planes[z] + j, 3);
  }
  for (int i = 0; i < 9; i++) {
    const Vec depth[4] = {planes[0][i], planes[1][i], planes[2][i], planes[3][i]};
    Vec o[3];
    tap_line<2>(depth, o, 1);
    for (int z = 0; z < 3; z++) {
      float* to = w.gw + (z * 9 + i) * w.tap_stride;
      if (w.channels >= kLanes) store(to, o[z]);
      else store_first(to, o[z], w.channels);
    }
  }
}

}  // namespace WINOGRAD_NAMESPACE

void SIMD(winograd_gradient)(int m, const WinogradGradient& w) {
  if (m == 4) WINOGRAD_NAMESPACE::gradient<4>(w);
  else WINOGRAD_NAMESPACE::gradient<2>(w);
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

void SIMD(winograd_taps)(int m, const WinogradTaps& w) {
  if (m == 4) WINOGRAD_NAMESPACE::taps<4>(w);
  else WINOGRAD_NAMESPACE::taps<2>(w);
}

}  // namespace voxelspark
