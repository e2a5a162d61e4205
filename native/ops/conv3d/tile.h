// Shape of a register tile, for the SIMD files of convolution: accumulators, two weight vectors and one broadcast
// value fill the register file.
#pragma once
#include "device/simd.h"
#include "ops/conv3d/simd.h"

// Keeps an address as one register plus constants; left alone the compiler keeps one register per displacement, more
// than there are.
#define VS_ONE_REGISTER(p) asm("" : "+r"(p))

// One instance of a template for every number of rows, in order.
#define VS_ROWS_TO_4(f, V) f<1, V>, f<2, V>, f<3, V>, f<4, V>
#define VS_ROWS_TO_6(f, V) VS_ROWS_TO_4(f, V), f<5, V>, f<6, V>
#define VS_ROWS_TO_12(f, V) VS_ROWS_TO_6(f, V), f<7, V>, f<8, V>, f<9, V>, f<10, V>, f<11, V>, f<12, V>
#define VS_ROWS_TO_14(f, V) VS_ROWS_TO_12(f, V), f<13, V>, f<14, V>
#if defined(__AVX512F__)
#define VS_ROWS 14
#define VS_ALL_ROWS VS_ROWS_TO_14
#elif defined(__aarch64__)
#define VS_ROWS 12
#define VS_ALL_ROWS VS_ROWS_TO_12
#elif defined(__AVX2__)
#define VS_ROWS 6
#define VS_ALL_ROWS VS_ROWS_TO_6
#else
#define VS_ROWS 4
#define VS_ALL_ROWS VS_ROWS_TO_4
#endif

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
