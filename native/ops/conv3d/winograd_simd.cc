// Transforms of inputs and weights and register tile of Winograd convolution. Compiled once per instruction set; see
// device/simd.h.
#include "ops/conv3d/winograd_simd.h"

#include "ops/conv3d/winograd_lines.h"
#include "ops/pending_simd.h"

namespace voxelspark {
namespace WINOGRAD_NAMESPACE {

// ---- input

// One vector of channels of the rows of a run, column by column.
template <int kTile, bool kWhole, bool kPending>
struct RowReader {
  const WinogradRun& run;
  int64_t channel;
  int64_t valid;  // channels of the vector
  const float* const* at = nullptr;
  int64_t offset = 0;
  uint32_t live = 0;
  Vec mean = {}, scale = {}, shift = {};

  VS_INLINE Vec read(const float* p) const { return kWhole ? load(p) : load_first(p, valid); }
  VS_INLINE void begin() {
    if constexpr (kPending) {
      mean = read(run.affine + channel);
      scale = read(run.affine + run.channels + channel);
      shift = read(run.affine + 2 * run.channels + channel);
    }
  }
  VS_INLINE void column(int64_t j) {
    const int part = j == 0 ? 0 : j >= run.last ? 2 : 1;
    at = run.at[part];
    live = run.live[part];
    offset = channel + (part == 1 ? (j - 1) * run.channels : 0);
  }
  VS_INLINE Vec row(int i) const {
    const Vec x = read(at[i] + offset);
    if constexpr (!kPending) return x;
    const Vec z = affine_of(x, mean, scale, shift);
    return live >> i & 1 ? activated(z, z, run.slope) : Vec{};
  }
};

// Depth and height are transformed once a column; two columns are shared by neighbouring tiles. Of the four frequencies
// of depth one alone may be wanted.
template <int kTile, int kDepths, class Reader>
VS_INLINE void transform_run(Reader in, float* v) {
  constexpr int H = kPoints<kTile>, kRing = kTile == 4 ? 8 : 4;
  alignas(64) Vec ring[kRing][kDepths * H];
  const DepthPair pair = kInputDepths[in.run.only];
  auto column = [&](int64_t j) {
    Vec r[kDepths * H];
    in.column(j);
    VS_UNROLL for (int h = 0; h < H; h++) {
      if constexpr (kDepths == 1) {
        r[h] = pair.first * in.row(pair.a * H + h) + pair.second * in.row(pair.b * H + h);
      } else {
        Vec z[4];
        VS_UNROLL for (int d = 0; d < 4; d++) z[d] = in.row(d * H + h);
        input_line<2>(z);
        VS_UNROLL for (int d = 0; d < 4; d++) r[d * H + h] = z[d];
      }
    }
    Vec* o = ring[j & (kRing - 1)];
    VS_UNROLL for (int d = 0; d < kDepths; d++) {
      input_line<kTile>(r + d * H);
      VS_UNROLL for (int h = 0; h < H; h++) o[d * H + h] = r[d * H + h];
    }
  };
  in.begin();
  column(0);
  column(1);
  const int64_t step = in.run.frequency_stride;
  for (int64_t t = 0; t < in.run.tiles; t++, v += kLanes) {
    for (int64_t j = 2; j < H; j++) column(kTile * t + j);
    const Vec* r[H];
    VS_UNROLL for (int j = 0; j < H; j++) r[j] = ring[(kTile * t + j) & (kRing - 1)];
    float* to = v;
#pragma GCC unroll 2
    for (int i = 0; i < kDepths * H; i++, to += H * step) {
      Vec w[H];
      VS_UNROLL for (int j = 0; j < H; j++) w[j] = r[j][i];
      input_line<kTile>(w);
      VS_UNROLL for (int j = 0; j < H; j++) store(to + j * step, w[j]);
    }
  }
}

template <int kTile, int kDepths, bool kPending>
static void input_depths(const WinogradRun& run) {
  float* v = run.v;
  int64_t c = 0;
  for (; c + kLanes <= run.channels; c += kLanes, v += run.block_stride)
    transform_run<kTile, kDepths>(RowReader<kTile, true, kPending>{run, c, kLanes}, v);
  if (c < run.channels) transform_run<kTile, kDepths>(RowReader<kTile, false, kPending>{run, c, run.channels - c}, v);
}

template <int kTile, bool kPending>
static void input(const WinogradRun& run) {
  (run.only ? input_depths<kTile, 1, kPending> : input_depths<kTile, 4, kPending>)(run);
}

// ---- weights

template <int kTile>
static void plane(const WinogradPlane& w) {
  constexpr int H = kPoints<kTile>;
  const int64_t tap = w.tap_stride, step = w.frequency_stride;
  for (int64_t i = 0; i < w.n; i += kLanes) {
    const float* from = w.taps + i;
    Vec x[3][H];
    VS_UNROLL for (int y = 0; y < 3; y++, from += 3 * tap)
        weight_line<kTile>(load(from), load(from + tap), load(from + 2 * tap), x[y], 1);
    float* to = w.u + i;
    VS_UNROLL for (int f = 0; f < H; f++, to += step) {
      Vec o[H];
      weight_line<kTile>(x[0][f], x[1][f], x[2][f], o, 1);
      VS_UNROLL for (int y = 0; y < H; y++) store(to + y * H * step, o[y]);
    }
  }
}

// ---- product

// Long sums are cut into spans of channels, which halves their rounding error at 640 channels.
constexpr int64_t kSpan = 160;

template <int T, int W>
__attribute__((noinline)) void multiply(const float* v, int64_t block_stride, const float* u, int64_t channels,
                                        float* m) {
  for (int64_t done = 0; done < channels; done += kSpan) {
    Vec sum[T][W];
    VS_UNROLL for (int t = 0; t < T; t++) VS_UNROLL for (int j = 0; j < W; j++) sum[t][j] = Vec{};
    int64_t left = channels - done < kSpan ? channels - done : kSpan;
    for (; left > 0; left -= kLanes) {
      const float* next = v + block_stride;
      const float* ahead = next;  // rows of the next channels, one line a channel
      for (const float* end = v + (left < kLanes ? left : kLanes); v < end; v++, u += W * kLanes, ahead += kLanes) {
        Vec w[W];
        VS_UNROLL for (int j = 0; j < W; j++) w[j] = load(u + j * kLanes);
        VS_UNROLL for (int j = 0; j < W; j++) __builtin_prefetch(u + kWeightsAhead + j * kLanes);
        __builtin_prefetch(ahead);
        VS_UNROLL for (int t = 0; t < T; t++) {
          const Vec x = all(v[t * kLanes]);
          VS_UNROLL for (int j = 0; j < W; j++) sum[t][j] += x * w[j];
        }
      }
      v = next;
    }
    VS_UNROLL for (int t = 0; t < T; t++) VS_UNROLL for (int j = 0; j < W; j++) {
      float* to = m + t * kPanel + j * kLanes;
      store(to, done ? load(to) + sum[t][j] : sum[t][j]);
    }
  }
}

using Multiply = void (*)(const float*, int64_t, const float*, int64_t, float*);
static const Multiply products[2][kRows] = {{WINOGRAD_ROWS(multiply, 1)}, {WINOGRAD_ROWS(multiply, 2)}};

}  // namespace WINOGRAD_NAMESPACE

WinogradShape SIMD(winograd_shape)() { return {kLanes, WINOGRAD_NAMESPACE::kRows}; }

void SIMD(winograd_input)(int m, const WinogradRun& run) {
  using namespace WINOGRAD_NAMESPACE;
  if (m == 4) (run.affine ? input<4, true> : input<4, false>)(run);
  else (run.affine ? input<2, true> : input<2, false>)(run);
}

void SIMD(winograd_depth)(const WinogradDepth& w) {
  for (int tap = 0; tap < 9; tap++)
    for (int64_t i = 0; i < w.n; i += kLanes) {
      const float* from = w.taps + tap * w.n + i;
      float* to = w.planes + tap * w.tap_stride + i;
      Vec o[4];
      WINOGRAD_NAMESPACE::weight_line<2>(load(from), load(from + 9 * w.n), load(from + 18 * w.n), o, 1);
      VS_UNROLL for (int z = 0; z < 4; z++) store(to + z * w.z_stride, o[z]);
    }
}

void SIMD(winograd_plane)(int m, const WinogradPlane& w) {
  if (m == 4) WINOGRAD_NAMESPACE::plane<4>(w);
  else WINOGRAD_NAMESPACE::plane<2>(w);
}

void SIMD(winograd_multiply)(const WinogradProduct& p) {
  using namespace WINOGRAD_NAMESPACE;
  // Groups of rows of nearly one size keep the register tile full.
  const int groups = (p.rows + kRows - 1) / kRows, size = p.rows / groups, longer = p.rows % groups;
  const Multiply* by_rows = products[p.vectors - 1];
  for (int64_t f = 0; f < p.frequencies; f++) {
    const float *v = p.v + f * p.v_frequency_stride, *u = p.u + f * p.u_frequency_stride;
    float* m = p.m + f * p.m_frequency_stride;
    for (int g = 0; g < groups; g++) {
      const int rows = size + (g < longer);
      by_rows[rows - 1](v, p.v_block_stride, u, p.channels, m);
      v += rows * kLanes;
      m += rows * kPanel;
    }
  }
}

}  // namespace voxelspark
