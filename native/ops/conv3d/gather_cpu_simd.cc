// The register tile of the gather-GEMM. Compiled once per instruction set; see device/simd.h.
#include "ops/conv3d/tile.h"

namespace voxelspark {
namespace SIMD(conv_gather) {

using namespace SIMD(conv_tile);

template <int T, int V>
__attribute__((noinline)) void tile(const GatherTile& g) {
  Vec sum[T][V];
  VS_UNROLL for (int t = 0; t < T; t++)
    VS_UNROLL for (int j = 0; j < V; j++) sum[t][j] = load(g.bias + j * kLanes);
  const float* w = g.weights;
  for (int64_t d = 0; d < g.taps; d++) {
    const float* const* rows = g.table + g.delta[d];
    const float* x[T];
    uint64_t live = 0;
    VS_UNROLL for (int t = 0; t < T; t++) {
      x[t] = rows[g.base[t]];
      live |= reinterpret_cast<uintptr_t>(x[t]) ^ reinterpret_cast<uintptr_t>(g.zeros);
    }
    if (!live) {
      w += g.channels * V * kLanes;
      continue;
    }
    for (int64_t c = 0; c < g.channels; c++, w += V * kLanes) {
      Vec column[V];
      VS_UNROLL for (int j = 0; j < V; j++) column[j] = load(w + j * kLanes);
      VS_UNROLL for (int t = 0; t < T; t++) {
        const Vec value = all(x[t][c]);
        VS_UNROLL for (int j = 0; j < V; j++) sum[t][j] += value * column[j];
      }
    }
  }
  VS_UNROLL for (int t = 0; t < T; t++) store_columns<V>(g.out + g.voxel[t] * g.out_stride, sum[t], g.valid);
}

using Tile = void (*)(const GatherTile&);
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

}  // namespace SIMD(conv_gather)

TileShape SIMD(tile_shape)() { return {kLanes, SIMD(conv_tile)::kRows, SIMD(conv_tile)::kVectors}; }

void SIMD(gather_tile)(const GatherTile& g, int voxels, int vectors) {
  SIMD(conv_gather)::tiles[vectors - 1][voxels - 1](g);
}

// Squares of 16 keep both the rows read and the rows written in L1 while one of the two strides is long.
void SIMD(pack_weights)(const float* weights, int64_t k_stride, int64_t c_stride, int64_t channels, int64_t valid,
                        int64_t width, float* packed) {
  constexpr int64_t kSquare = 16;
  for (int64_t c0 = 0; c0 < channels; c0 += kSquare) {
    const int64_t c1 = c0 + kSquare < channels ? c0 + kSquare : channels;
    if (k_stride == 1) {
      for (int64_t c = c0; c < c1; c++) {
        const float* from = weights + c * c_stride;
        float* to = packed + c * width;
        for (int64_t k = 0; k < valid; k++) to[k] = from[k];
        for (int64_t k = valid; k < width; k++) to[k] = 0;
      }
      continue;
    }
    for (int64_t k = 0; k < valid; k++) {
      const float* from = weights + k * k_stride;
      for (int64_t c = c0; c < c1; c++) packed[c * width + k] = from[c * c_stride];
    }
    for (int64_t k = valid; k < width; k++)
      for (int64_t c = c0; c < c1; c++) packed[c * width + k] = 0;
  }
}

}  // namespace voxelspark
