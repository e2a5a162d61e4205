#pragma once
#include <stdint.h>

#include "device/isa.h"

namespace voxelspark {

// Register tiles: up to `voxels` rows by `vectors` vectors of `lanes` channels.
struct TileShape {
  int lanes, rows, vectors;
};
DECLARE_SIMD(tile_shape, TileShape, ())

// Rows of source channels; those of the parts of a source follow each other.
struct GatherPart {
  const float* const* table;
  int64_t channels;  // 0: no such part
};
constexpr int kGatherParts = 2;

// out[t][0 .. width) = bias + sum over taps d, channels c of table[base[t] + delta[d]][c] * weights[d][c][0 .. width)
// for the voxels t of a tile, width = vectors * lanes; the first `valid` columns are stored.
//
// Few channels make a short inner loop, so there the taps join it: with `values`, a voxel's sources are
// values[base[t] * value_stride + offsets[c]] for 0 <= c < channels, and taps is 1.
struct GatherTile {
  const float* values;  // null: rows of the table
  const int32_t* offsets;
  int64_t value_stride;
  GatherPart parts[kGatherParts];
  const float* zeros;  // taps where every voxel reads this row are skipped
  const int32_t* delta;
  int64_t taps, channels;
  const float* weights;  // aligned
  const float* bias;
  const int32_t* base;
  const int64_t* voxel;
  float* out;  // row of voxel i at out + i * out_stride
  int64_t out_stride, valid;
  bool add;     // to what out holds
  bool stream;  // store past the caches; rows of whole, aligned vectors only
};
DECLARE_SIMD(gather_tile, void, (const GatherTile& g, int voxels, int vectors))

// A pending normalisation of rows of channels; see core/tensor.h.
struct RowNorm {
  const float* affine;  // mean, scale, shift: `channels` each
  int64_t channels;
  float slope;
};
// Copies the rows that are not `zeros`, normalised, to to[row][channels], and has the table point there.
DECLARE_SIMD(normalise_rows, void, (const RowNorm& norm, const float** rows, int64_t n, const float* zeros, float* to))

// Has what gather_tile streamed reach memory before what this thread stores next.
DECLARE_SIMD(stream_fence, void, ())

// packed[c][0 .. width) = column vectors of weights[k * k_stride + c * c_stride], zero from `valid` on.
DECLARE_SIMD(pack_weights, void,
             (const float* weights, int64_t k_stride, int64_t c_stride, int64_t channels, int64_t valid, int64_t width,
              float* packed))

// out[t][0 .. width) (+)= sum over i < n of scale[i][t] * x[at[i]][0 .. width): a register tile of a sum of outer
// products; the offsets are added to every row of their side.
struct OuterTile {
  const float* const* x;
  const int32_t* at;
  const float* const* scale;
  int64_t n, x_offset, scale_offset;
  float* out;
  int64_t out_stride, valid;
  bool fresh;  // overwrite what is there
};
DECLARE_SIMD(outer_tile, void, (const OuterTile& o, int rows, int vectors))

// packed[i][0 .. width) = rows[at[i]][offset .. offset + valid), then zeros
DECLARE_SIMD(pack_rows, void,
             (const float* const* rows, const int32_t* at, int64_t n, int64_t offset, int64_t valid, int64_t width,
              float* packed))
// unfolded[i][j] = values[base[i] * stride + offsets[j]] for i < n, j < length
DECLARE_SIMD(unfold_values, void,
             (const float* values, const int32_t* base, int64_t n, int64_t stride, const int32_t* offsets,
              int64_t length, float* unfolded))
// a[i] += b[i]
DECLARE_SIMD(add_range, void, (float* a, const float* b, int64_t n))

}  // namespace voxelspark
