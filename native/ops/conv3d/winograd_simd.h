// The SIMD parts of Winograd convolution, seen by the drivers. Tiles F(2, m, m) with m = 2 or 4: depth always makes
// two outputs of four inputs, height and width m outputs of m + 2. Frequencies are numbered (z, y, x), x fastest.
#pragma once
#include <stdint.h>

#include "device/isa.h"

namespace voxelspark {

constexpr int kWinogradRows = 24;  // rows of voxels under a run of tiles, 4 * (m + 2), at most

// The columns of a register tile: panels of `lanes * 2` output channels; and its rows.
struct WinogradShape {
  int lanes, rows;
};
DECLARE_SIMD(winograd_shape, WinogradShape, ())

// `tiles` tiles side by side along x, in one cell. Row z * (m + 2) + y of their voxels starts at at[0] for the voxel
// left of the run, at[1] for its body, at[2] for the voxel at column `last` and all beyond it.
// A pending normalisation (see core/tensor.h) is applied to the rows that are live, on load.
struct WinogradRun {
  const float* at[3][kWinogradRows];
  uint32_t live[3];     // bit i: row i is stored
  const float* affine;  // mean, scale, shift: `channels` each; null: none
  float slope;
  int64_t channels, last;
  int tiles;
  float* v;  // v[frequency][channel / lanes][tile][channel % lanes]
  int64_t frequency_stride, block_stride;
  int only;  // one of the four frequencies of depth, counted from 1, fills v alone; 0: all do
};
DECLARE_SIMD(winograd_input, void, (int m, const WinogradRun& run))

// Weights in two steps, both on n floats (source channel, panel column) a tap: planes[z][tap y, x] from taps[z, y, x],
// then the frequencies u[y, x] of one z. Few streams at a time, because many that are written at once leave the L1.
struct WinogradDepth {
  const float* taps;
  int64_t n;
  float* planes;
  int64_t z_stride, tap_stride;
};
DECLARE_SIMD(winograd_depth, void, (const WinogradDepth& w))
struct WinogradPlane {
  const float* taps;
  int64_t tap_stride, n;
  float* u;
  int64_t frequency_stride;
};
DECLARE_SIMD(winograd_plane, void, (int m, const WinogradPlane& w))

// m[frequency][row][2 * lanes] = v[frequency] * u[frequency] for the rows (tiles) of a chunk and one panel.
struct WinogradProduct {
  const float* v;
  int64_t v_frequency_stride, v_block_stride;
  const float* u;  // u[frequency][channel][vectors * lanes]
  int64_t u_frequency_stride;
  int64_t channels, frequencies;
  int rows, vectors;
  float* m;
  int64_t m_frequency_stride;
};
DECLARE_SIMD(winograd_multiply, void, (const WinogradProduct& p))

// One tile of a panel's outputs, or as much of it as has room in the volume, and sums over the tiles of a chunk, each
// of the panel's width. Without x: sums[0] is a value of the chunk, sums[1] and sums[2] are the sums of the differences
// from it and of their squares. With x, on which a normalisation is pending whose gradient the outputs g are: sums[0]
// of g act', sums[1] of g act' (x - mean).
struct WinogradOutput {
  const float* m;
  int64_t m_frequency_stride;
  const float* bias;  // of the panel, padded to its width
  float* y;
  int64_t z_stride, y_stride, x_stride;
  int room_z, room_y, room_x;
  int channels;             // of the panel
  bool add;                 // to what y holds
  float* sums;              // null: not wanted
  bool first;               // tile of the chunk: the sums begin
  const float *x, *affine;  // as y, and mean, scale, shift of the panel's channels
  int64_t affine_stride;
  float slope;
};
DECLARE_SIMD(winograd_output, void, (int m, const WinogradOutput& o))

// The weight gradient: the adjoint of the forward transforms around sums of outer products.
// g[frequency][channel], padded to vectors, from the 2 * m * m output voxels of a tile.
struct WinogradGradient {
  const float* at[2 * 4 * 4];
  uint32_t live;        // bit i: at[i] is stored
  const float* affine;  // pending on it: mean, scale, shift; null: none
  float slope;
  int64_t channels;
  float* g;
  int64_t frequency_stride;
  int only;  // as in WinogradRun
};
DECLARE_SIMD(winograd_gradient, void, (int m, const WinogradGradient& g))

// Sums of one frequency: sums[panel of 2 * lanes x channels][k][width of the panel] (+)= over tiles g[tile][k] *
// v[x channel / lanes][tile][x channel % lanes].
struct WinogradOuter {
  const float *v, *g;
  int64_t v_block_stride, g_stride;
  int tiles;
  int64_t channels, outputs;
  float* sums;
  bool fresh;  // overwrite what is there
};
DECLARE_SIMD(winograd_outer, void, (const WinogradOuter& o))

// gw[tap][0 .. channels) of one output and one vector, from its sums over all slots, added in slot order.
struct WinogradTaps {
  const float* sums;
  int64_t frequency_stride, slot_stride;
  int slots;
  float* gw;
  int64_t tap_stride, channels;
};
DECLARE_SIMD(winograd_taps, void, (int m, const WinogradTaps& t))

}  // namespace voxelspark
