// Shape of a register tile, for the SIMD files of convolution: accumulators, two weight vectors and one broadcast
// value fill the register file.
#pragma once
#include "device/simd.h"
#include "ops/conv3d/rows.h"
#include "ops/conv3d/simd.h"

// Keeps an address as one register plus constants; left alone the compiler keeps one register per displacement, more
// than there are.
#define VS_ONE_REGISTER(p) asm("" : "+r"(p))

namespace voxelspark {
SIMD_NAMESPACE(simd) {

constexpr int kRows = VS_ROWS;
constexpr int kVectors = 2;

// Columns of a tile that lie inside the tensor.
template <int V>
VS_INLINE void store_columns(float* to, const Vec* v, int64_t valid) {
  if (valid == V * kLanes) {
    VS_UNROLL for (int j = 0; j < V; j++) store(to + j * kLanes, v[j]);
    return;
  }
  float all[V * kLanes];
  VS_UNROLL for (int j = 0; j < V; j++) store(all + j * kLanes, v[j]);
  for (int64_t i = 0; i < valid; i++) to[i] = all[i];
}

template <int V>
VS_INLINE void load_columns(const float* from, Vec* v, int64_t valid) {
  if (valid == V * kLanes) {
    VS_UNROLL for (int j = 0; j < V; j++) v[j] = load(from + j * kLanes);
    return;
  }
  float all[V * kLanes] = {};
  for (int64_t i = 0; i < valid; i++) all[i] = from[i];
  VS_UNROLL for (int j = 0; j < V; j++) v[j] = load(all + j * kLanes);
}

}  // SIMD_NAMESPACE(simd)
}  // namespace voxelspark
