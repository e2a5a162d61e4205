// The register tile of the weight gradient. Compiled once per instruction set; see device/simd.h.
#include "ops/conv3d/tile.h"

namespace voxelspark {
namespace SIMD(conv_outer) {

using namespace SIMD(conv_tile);

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
  for (int64_t i = 0; i < o.n; i++) {
    const float *x = o.x[i] + o.x_offset, *scale = o.scale[i] + o.scale_offset;
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
#define ROWS_TO_4(V) tile<1, V>, tile<2, V>, tile<3, V>, tile<4, V>
#define ROWS_TO_6(V) ROWS_TO_4(V), tile<5, V>, tile<6, V>
#define ROWS_TO_12(V) ROWS_TO_6(V), tile<7, V>, tile<8, V>, tile<9, V>, tile<10, V>, tile<11, V>, tile<12, V>
#define ROWS_TO_14(V) ROWS_TO_12(V), tile<13, V>, tile<14, V>
#if defined(__AVX512F__)
#define ALL_ROWS(V) ROWS_TO_14(V)
#elif defined(__aarch64__)
#define ALL_ROWS(V) ROWS_TO_12(V)
#elif defined(__AVX2__)
#define ALL_ROWS(V) ROWS_TO_6(V)
#else
#define ALL_ROWS(V) ROWS_TO_4(V)
#endif
static const Tile tiles[kVectors][kRows] = {{ALL_ROWS(1)}, {ALL_ROWS(2)}};

}  // namespace SIMD(conv_outer)

void SIMD(outer_tile)(const OuterTile& o, int rows, int vectors) {
  SIMD(conv_outer)::tiles[vectors - 1][rows - 1](o);
}

void SIMD(column_sums)(const float* rows, int64_t n, int64_t channels, float* sums) {
  for (int64_t c = 0; c < channels; c++) sums[c] = 0;
  for (int64_t i = 0; i < n; i++)
    for (int64_t c = 0; c < channels; c++) sums[c] += rows[i * channels + c];
}

void SIMD(add_range)(float* a, const float* b, int64_t n) {
  for (int64_t i = 0; i < n; i++) a[i] += b[i];
}

}  // namespace voxelspark
