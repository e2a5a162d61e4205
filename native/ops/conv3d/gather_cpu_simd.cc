// The register tile of the gather-GEMM. Compiled once per instruction set; see device/simd.h.
#include "ops/conv3d/tile.h"
#include "ops/pending_simd.h"

namespace voxelspark {
SIMD_NAMESPACE(simd) {

template <int T, int V>
VS_INLINE void add_column(Vec (&sum)[T][V], const float* const* x, int64_t c, const float* w) {
  Vec column[V];
  VS_UNROLL for (int j = 0; j < V; j++) column[j] = load(w + j * kLanes);
  VS_UNROLL for (int j = 0; j < V; j++) __builtin_prefetch(w + kWeightsAhead + j * kLanes);
  VS_UNROLL for (int t = 0; t < T; t++) {
    const Vec value = all(x[t][c]);
    VS_UNROLL for (int j = 0; j < V; j++) sum[t][j] += value * column[j];
  }
}

template <int T, int V>
VS_INLINE void store_tile(const GatherTile& g, Vec (&sum)[T][V]) {
  VS_UNROLL for (int t = 0; t < T; t++) {
    float* to = g.out + g.voxel[t] * g.out_stride;
    if (g.add) {
      Vec before[V];
      load_columns<V>(to, before, g.valid);
      VS_UNROLL for (int j = 0; j < V; j++) sum[t][j] += before[j];
    }
    if (!g.stream) store_columns<V>(to, sum[t], g.valid);
    else VS_UNROLL for (int j = 0; j < V; j++) stream(to + j * kLanes, sum[t][j]);
  }
}

template <int T, int V>
__attribute__((noinline)) void tile_of_values(const GatherTile& g) {
  Vec sum[T][V];
  VS_UNROLL for (int t = 0; t < T; t++) VS_UNROLL for (int j = 0; j < V; j++) sum[t][j] = load(g.bias + j * kLanes);
  const float* x[T];
  VS_UNROLL for (int t = 0; t < T; t++) x[t] = g.values + g.base[t] * g.value_stride;
  const float* w = g.weights;
  for (int64_t c = 0; c < g.channels; c++, w += V * kLanes) add_column<T, V>(sum, x, g.offsets[c], w);
  store_tile<T, V>(g, sum);
}

// Products that are added up before they join the total. One long sum would round the more the more channels there are.
constexpr int64_t kSpan = 192;

template <int T, int V>
VS_INLINE void add_tile(Vec (&total)[T][V], const Vec (&sum)[T][V]) {
  VS_UNROLL for (int t = 0; t < T; t++) VS_UNROLL for (int j = 0; j < V; j++) total[t][j] += sum[t][j];
}

template <int T, int V>
__attribute__((noinline)) void tile(const GatherTile& g) {
  Vec sum[T][V] = {}, total[T][V];
  VS_UNROLL for (int t = 0; t < T; t++) VS_UNROLL for (int j = 0; j < V; j++) total[t][j] = load(g.bias + j * kLanes);
  const float* w = g.weights;
  int64_t span = 0;
  for (int64_t d = 0; d < g.taps; d++) {
    const GatherPart* part = g.parts;
    do {
      const int64_t channels = part->channels;
      const float* const* rows = part->table + g.delta[d];
      const float* x[T];
      uint64_t live = 0;
      VS_UNROLL for (int t = 0; t < T; t++) {
        x[t] = rows[g.base[t]];
        live |= reinterpret_cast<uintptr_t>(x[t]) ^ reinterpret_cast<uintptr_t>(g.zeros);
      }
      // Where nothing is live, spans still end where they would, so that no bit depends on the voxels of a tile.
      for (int64_t c = 0; c < channels;) {
        const int64_t left = channels - c, end = left < kSpan - span ? channels : c + kSpan - span;
        span += end - c;
        if (!live) w += (end - c) * V * kLanes, c = end;
        for (; c < end; c++, w += V * kLanes) add_column<T, V>(sum, x, c, w);
        if (span < kSpan) break;
        add_tile<T, V>(total, sum);
        VS_UNROLL for (int t = 0; t < T; t++) VS_UNROLL for (int j = 0; j < V; j++) sum[t][j] = Vec{};
        span = 0;
      }
    } while (++part != g.parts + kGatherParts && part->channels);
  }
  add_tile<T, V>(total, sum);
  store_tile<T, V>(g, total);
}

using Tile = void (*)(const GatherTile&);
static const Tile tiles[kVectors][kRows] = {{VS_ALL_ROWS(tile, 1)}, {VS_ALL_ROWS(tile, 2)}};
static const Tile tiles_of_values[kVectors][kRows] = {{VS_ALL_ROWS(tile_of_values, 1)},
                                                      {VS_ALL_ROWS(tile_of_values, 2)}};

}  // SIMD_NAMESPACE(simd)

TileShape SIMD(tile_shape)() { return {kLanes, kRows, kVectors}; }

void SIMD(gather_tile)(const GatherTile& g, int voxels, int vectors) {
  (g.values ? tiles_of_values : tiles)[vectors - 1][voxels - 1](g);
}

void SIMD(stream_fence)() {
#if defined(__AVX2__)
  _mm_sfence();
#endif
}

void SIMD(normalise_rows)(const RowNorm& norm, const float** rows, int64_t n, const float* zeros, float* to) {
  const float *mean = norm.affine, *scale = mean + norm.channels, *shift = scale + norm.channels;
  for (int64_t i = 0; i < n; i++, to += norm.channels) {
    const float* from = rows[i];
    if (from == zeros) continue;
    rows[i] = to;
    int64_t c = 0;
    for (; c + kLanes <= norm.channels; c += kLanes) {
      const Vec z = affine_of(load(from + c), load(mean + c), load(scale + c), load(shift + c));
      store(to + c, activated(z, z, norm.slope));
    }
    for (; c < norm.channels; c++) {
      const float z = affine_of(from[c], mean[c], scale[c], shift[c]);
      to[c] = activated(z, z, norm.slope);
    }
  }
}

SIMD_NAMESPACE(simd) {

typedef float Four __attribute__((vector_size(16)));
typedef float FourU __attribute__((vector_size(16), aligned(4), may_alias));
#if defined(__clang__)
#define VS_SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
typedef int32_t Lanes __attribute__((vector_size(16)));
#define VS_SHUFFLE(a, b, i, j, k, l) __builtin_shuffle(a, b, Lanes{i, j, k, l})
#endif

// to[j][i] = from[i][j], 4 x 4
VS_INLINE void transpose(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  Four r[4];
  VS_UNROLL for (int i = 0; i < 4; i++) r[i] = *reinterpret_cast<const FourU*>(from + i * from_stride);
  const Four a = VS_SHUFFLE(r[0], r[1], 0, 4, 1, 5), b = VS_SHUFFLE(r[2], r[3], 0, 4, 1, 5);
  const Four c = VS_SHUFFLE(r[0], r[1], 2, 6, 3, 7), d = VS_SHUFFLE(r[2], r[3], 2, 6, 3, 7);
  *reinterpret_cast<FourU*>(to) = VS_SHUFFLE(a, b, 0, 1, 4, 5);
  *reinterpret_cast<FourU*>(to + to_stride) = VS_SHUFFLE(a, b, 2, 3, 6, 7);
  *reinterpret_cast<FourU*>(to + 2 * to_stride) = VS_SHUFFLE(c, d, 0, 1, 4, 5);
  *reinterpret_cast<FourU*>(to + 3 * to_stride) = VS_SHUFFLE(c, d, 2, 3, 6, 7);
}

}  // SIMD_NAMESPACE(simd)

// Either the destination channels lie side by side (rows are copied) or the source channels do (squares are turned).
void SIMD(pack_weights)(const float* weights, int64_t k_stride, int64_t c_stride, int64_t channels, int64_t valid,
                        int64_t width, float* packed) {
  int64_t k = 0;
  if (c_stride == 1)
    for (; k + 4 <= valid; k += 4) {
      int64_t c = 0;
      for (; c + 4 <= channels; c += 4) {
        // The rows are far apart and short, so no hardware prefetcher follows them: one line of the next four a step.
        __builtin_prefetch(weights + (k + 4 + c / 4 % 4) * k_stride + c / 16 * 16);
        transpose(weights + k * k_stride + c, k_stride, packed + c * width + k, width);
      }
      for (; c < channels; c++)
        for (int64_t i = k; i < k + 4; i++) packed[c * width + i] = weights[i * k_stride + c];
    }
  for (int64_t c = 0; c < channels; c++) {
    const float* from = weights + c * c_stride;
    float* to = packed + c * width;
    __builtin_prefetch(from + 8 * c_stride);
    __builtin_prefetch(from + 8 * c_stride + 16);
    int64_t i = k;
    if (k_stride == 1)
      for (; i + kLanes <= valid; i += kLanes) store(to + i, load(from + i));
    for (; i < valid; i++) to[i] = from[i * k_stride];
    for (; i < width; i++) to[i] = 0;
  }
}

}  // namespace voxelspark
