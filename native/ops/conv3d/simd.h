#pragma once
#include <stdint.h>

#include "device/isa.h"

namespace voxelspark {

// Register tiles: up to `voxels` rows by `vectors` vectors of `lanes` channels.
struct TileShape {
  int lanes, rows, vectors;
};
DECLARE_SIMD(tile_shape, TileShape, ())

// out[t][0 .. width) = bias + sum over taps d, channels c of table[base[t] + delta[d]][c] * weights[d][c][0 .. width)
// for the voxels t of a tile, width = vectors * lanes; the first `valid` columns are stored.
struct GatherTile {
  const float* const* table;
  const float* zeros;  // taps where every voxel reads this row are skipped
  const int32_t* delta;
  int64_t taps, channels;
  const float* weights;  // aligned
  const float* bias;
  const int32_t* base;
  const int64_t* voxel;
  float* out;            // row of voxel i at out + i * out_stride
  int64_t out_stride, valid;
};
DECLARE_SIMD(gather_tile, void, (const GatherTile& g, int voxels, int vectors))

// packed[c][0 .. width) = column vectors of weights[k * k_stride + c * c_stride], zero from `valid` on.
DECLARE_SIMD(pack_weights, void,
             (const float* weights, int64_t k_stride, int64_t c_stride, int64_t channels, int64_t valid, int64_t width,
              float* packed))

// out[t][0 .. width) (+)= sum over i of scale[i][t] * x[i][0 .. width): one register tile of a sum of outer products.
struct OuterTile {
  const float* const* x;
  const float* const* scale;
  int64_t n, x_offset, scale_offset;
  float* out;
  int64_t out_stride, valid;
  bool fresh;  // overwrite what is there
};
DECLARE_SIMD(outer_tile, void, (const OuterTile& o, int rows, int vectors))

// sums[c] = sum of n rows of C channels
DECLARE_SIMD(column_sums, void, (const float* rows, int64_t n, int64_t channels, float* sums))
// a[i] += b[i]
DECLARE_SIMD(add_range, void, (float* a, const float* b, int64_t n))

}  // namespace voxelspark
