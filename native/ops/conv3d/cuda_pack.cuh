// Weights as tensor cores read them: rounded to 16 bits, zero beyond the channels, in runs of 8 summands,
//   [tile of destination channels][tap][slice of 32 source channels][4][columns of a tile][8]
// or with slices outside taps, so that what a kernel reads next lies next.
#pragma once
#include "device/cuda_tensor.cuh"
#include "ops/conv3d/cuda_tensor_plan.h"

namespace voxelspark {

struct PackWeights {
  const float* weights;  // by tap, source and destination channel with these strides
  int64_t tap_stride, source_stride, dest_stride;
  int source_channels, dest_channels;
  int taps, slices, columns;
  bool slices_outside;
  bool reversed;  // tap t of the pack is tap taps - 1 - t of the weights

  __device__ float weight(int64_t tap, int64_t s, int64_t d) const {
    if (s >= source_channels || d >= dest_channels) return 0;
    if (reversed) tap = taps - 1 - tap;
    return weights[tap * tap_stride + s * source_stride + d * dest_stride];
  }
};

template <class T>
struct PackRun {
  PackWeights w;
  Vector16* packed;

  // Run i of 8 summands.
  __device__ void operator()(int64_t i) const {
    const int64_t line = quotient(i, w.columns), unit = line / 4,
                  outer = quotient(unit, w.slices_outside ? w.taps : w.slices);
    const int64_t inner = unit - outer * (w.slices_outside ? w.taps : w.slices);
    const int64_t between = w.slices_outside ? w.slices : w.taps, tile = quotient(outer, between);
    const int64_t tap = w.slices_outside ? inner : outer - tile * between;
    const int64_t slice = w.slices_outside ? outer - tile * between : inner;
    const int64_t s = slice * kSliceChannels + line % 4 * 8, d = tile * w.columns + (i - line * w.columns);
    Vector16 run;
#pragma unroll
    for (int k = 0; k < 4; k++) run.word[k] = pack<T>(w.weight(tap, s + 2 * k, d), w.weight(tap, s + 2 * k + 1, d));
    packed[i] = run;
  }
};

template <class T>
void pack_weights(const PackWeights& w, void* packed) {
  const int64_t tiles = (w.dest_channels + w.columns - 1) / w.columns;
  launch_elementwise(tiles * w.taps * w.slices * 4 * w.columns, PackRun<T>{w, static_cast<Vector16*>(packed)},
                     "packing weights");
}

}  // namespace voxelspark
