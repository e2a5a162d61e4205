// The register tile of the weight gradient. Compiled once per instruction set; see device/simd.h.
#include "ops/conv3d/tile.h"

namespace voxelspark {
SIMD_NAMESPACE(simd) {

template <int T, int V>
__attribute__((noinline)) void tile(const OuterTile& o) {
  Vec sum[T][V];
  VS_UNROLL for (int t = 0; t < T; t++) {
    if (o.fresh) {
      VS_UNROLL for (int j = 0; j < V; j++) sum[t][j] = Vec{};
    } else {
      load_columns<V>(o.out + t * o.out_stride, sum[t], o.valid);
    }
  }
  const float *const *rows = o.x, *const *scales = o.scale;
  const int32_t* at = o.at;
  const int64_t n = o.n, x_offset = o.x_offset, scale_offset = o.scale_offset;
  for (int64_t i = 0; i < n; i++) {
    const float *x = rows[at[i]] + x_offset, *scale = scales[i] + scale_offset;
    VS_ONE_REGISTER(x);
    VS_ONE_REGISTER(scale);
    Vec row[V];
    VS_UNROLL for (int j = 0; j < V; j++) row[j] = load(x + j * kLanes);
    VS_UNROLL for (int t = 0; t < T; t++) {
      const Vec value = all(scale[t]);
      VS_UNROLL for (int j = 0; j < V; j++) sum[t][j] += value * row[j];
    }
  }
  VS_UNROLL for (int t = 0; t < T; t++) store_columns<V>(o.out + t * o.out_stride, sum[t], o.valid);
}

using Tile = void (*)(const OuterTile&);
static const Tile tiles[kVectors][kRows] = {{VS_ALL_ROWS(tile, 1)}, {VS_ALL_ROWS(tile, 2)}};

}  // SIMD_NAMESPACE(simd)

void SIMD(outer_tile)(const OuterTile& o, int rows, int vectors) { tiles[vectors - 1][rows - 1](o); }

void SIMD(pack_rows)(const float* const* rows, const int32_t* at, int64_t n, int64_t offset, int64_t valid,
                     int64_t width, float* packed) {
  const int64_t whole = valid / kLanes * kLanes;
  for (int64_t i = 0; i < n; i++, packed += width) {
    const float* from = rows[at[i]] + offset;
    int64_t c = 0;
    for (; c < whole; c += kLanes) store(packed + c, load(from + c));
    for (; c < valid; c++) packed[c] = from[c];
    for (; c < width; c++) packed[c] = 0;
  }
}

void SIMD(unfold_values)(const float* values, const int32_t* base, int64_t n, int64_t stride, const int32_t* offsets,
                         int64_t length, float* __restrict unfolded) {
  for (int64_t i = 0; i < n; i++, unfolded += length) {
    const float* from = values + base[i] * stride;
    for (int64_t j = 0; j < length; j++) unfolded[j] = from[offsets[j]];
  }
}

void SIMD(add_range)(float* a, const float* b, int64_t n) {
  for (int64_t i = 0; i < n; i++) a[i] += b[i];
}

}  // namespace voxelspark
