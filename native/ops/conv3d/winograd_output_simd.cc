// The output transform of Winograd convolution, and sums over what it stores. Compiled once per instruction set; see
// device/simd.h.
#include "ops/conv3d/winograd_lines.h"
#include "ops/conv3d/winograd_simd.h"
#include "ops/pending_simd.h"

namespace voxelspark {
namespace WINOGRAD_NAMESPACE {

// Height and width of each of the four depth frequencies: q[4][y][x].
template <int kTile>
VS_INLINE void output_planes(const float* m, int64_t step, Vec (*q)[kTile * kTile]) {
  constexpr int H = kPoints<kTile>;
  for (int d = 0; d < 4; d++) {
    Vec s[kTile][H];
    VS_UNROLL for (int h = 0; h < H; h++) {
      Vec r[H], o[kTile];
      VS_UNROLL for (int w = 0; w < H; w++) r[w] = load(m + ((d * H + h) * H + w) * step);
      output_line<kTile>(r, o, 1);
      VS_UNROLL for (int w = 0; w < kTile; w++) s[w][h] = o[w];
    }
    VS_UNROLL for (int w = 0; w < kTile; w++) output_line<kTile>(s[w], q[d] + w, kTile);
  }
}

// `keep(z, y, x, value)` for the voxels of a tile.
template <int kTile, class Keep>
VS_INLINE void output_voxels(const float* m, int64_t step, Vec bias, Keep keep) {
  alignas(64) Vec q[4][kTile * kTile];
  output_planes<kTile>(m, step, q);
  VS_UNROLL for (int i = 0; i < kTile * kTile; i++) {
    Vec z[4], y[2];
    VS_UNROLL for (int d = 0; d < 4; d++) z[d] = q[d][i];
    output_line<2>(z, y, 1);
    keep(0, i / kTile, i % kTile, y[0] + bias);
    keep(1, i / kTile, i % kTile, y[1] + bias);
  }
}

// What is summed up over the voxels of a chunk, one vector of channels at a time. `add` gets a value, where it lies in
// the tile, and whether the vector is whole.
struct NoSums {
  VS_INLINE NoSums(const WinogradOutput&, int) {}
  template <bool kWhole>
  VS_INLINE void add(Vec, int64_t) {}
  VS_INLINE void store_to(float*) const {}
};

// For a normalisation that follows. Differences from a value of the chunk keep the sums of their squares from
// cancelling.
struct Moments {
  Vec pivot = {}, sum = {}, square = {};
  bool empty;

  VS_INLINE Moments(const WinogradOutput& o, int k) : empty(o.first) {
    if (empty) return;
    pivot = load(o.sums + k);
    sum = load(o.sums + k + kPanel);
    square = load(o.sums + k + 2 * kPanel);
  }
  template <bool kWhole>
  VS_INLINE void add(Vec value, int64_t) {
    if (empty) pivot = value;
    empty = false;
    const Vec d = value - pivot;
    sum += d;
    square += d * d;
  }
  VS_INLINE void store_to(float* p) const {
    store(p, pivot);
    store(p + kPanel, sum);
    store(p + 2 * kPanel, square);
  }
};

// For the backward pass of the normalisation that is pending on x; the outputs are the gradient of its values.
struct NormSums {
  const float* x;
  int64_t live;
  float slope;
  bool first;
  Vec mean, scale, shift, sum = {}, cross = {};

  VS_INLINE NormSums(const WinogradOutput& o, int k)
      : x(o.x + k), live(o.channels - k < kLanes ? o.channels - k : kLanes), slope(o.slope), first(o.first) {
    mean = load_first(o.affine + k, live);
    scale = load_first(o.affine + k + o.affine_stride, live);
    shift = load_first(o.affine + k + 2 * o.affine_stride, live);
  }
  template <bool kWhole>
  VS_INLINE void add(Vec value, int64_t at) {
    const Vec from = kWhole ? load(x + at) : load_first(x + at, live);
    const Vec d = activated(affine_of(from, mean, scale, shift), value, slope);
    sum += d;
    cross += d * (from - mean);
  }
  VS_INLINE void store_to(float* p) const {
    store(p, first ? sum : load(p) + sum);
    store(p + kPanel, first ? cross : load(p + kPanel) + cross);
  }
};

template <int kTile, bool kAdd, class Sums>
static void output(const WinogradOutput& o) {
  const bool whole = o.room_z >= 2 && o.room_y >= kTile && o.room_x >= kTile;
  for (int k = 0; k < o.channels; k += kLanes) {
    const Vec bias = load(o.bias + k);
    float* to = o.y + k;
    Sums sums(o, k);
    if (whole && k + kLanes <= o.channels) {
      output_voxels<kTile>(o.m + k, o.m_frequency_stride, bias, [&](int z, int y, int x, Vec value) {
        const int64_t at = z * o.z_stride + y * o.y_stride + x * o.x_stride;
        if (kAdd) value += load(to + at);
        store(to + at, value);
        sums.template add<true>(value, at);
      });
    } else {
      const int64_t live = o.channels - k < kLanes ? o.channels - k : kLanes;
      output_voxels<kTile>(o.m + k, o.m_frequency_stride, bias, [&](int z, int y, int x, Vec value) {
        if (z >= o.room_z || y >= o.room_y || x >= o.room_x) return;
        const int64_t at = z * o.z_stride + y * o.y_stride + x * o.x_stride;
        if (kAdd) value += load_first(to + at, live);
        store_first(to + at, value, live);
        sums.template add<false>(value, at);
      });
    }
    sums.store_to(o.sums + k);
  }
}

template <int kTile>
static void output_tile(const WinogradOutput& o) {
  if (o.add) output<kTile, true, NoSums>(o);
  else if (!o.sums) output<kTile, false, NoSums>(o);
  else if (o.x) output<kTile, false, NormSums>(o);
  else output<kTile, false, Moments>(o);
}

}  // namespace WINOGRAD_NAMESPACE

void SIMD(winograd_output)(int m, const WinogradOutput& o) {
  if (m == 4) WINOGRAD_NAMESPACE::output_tile<4>(o);
  else WINOGRAD_NAMESPACE::output_tile<2>(o);
}

}  // namespace voxelspark
