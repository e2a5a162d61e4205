// The product of a 64 x 16 and a 16 x 64 slice in shared memory by 256 threads, each with 4 x 4 sums in registers.
#pragma once
#include "device/cuda.cuh"
#include "ops/conv3d/cuda_plan.h"

namespace voxelspark {

constexpr int kConvThreads = 256;
constexpr int kConvPitch = kConvTile + 4;  // so that stores of a column meet few bank conflicts
constexpr int kConvWork = 4;               // rows and columns of a thread
// Slices that are added up in one run before the run is added to the total: the error grows with the square root of
// the run and of the number of runs, not of the whole sum.
constexpr int kConvRun = 8;

using ConvSlice = float[kConvDepth][kConvPitch];

struct ConvSums {
  float run[kConvWork][kConvWork] = {}, total[kConvWork][kConvWork] = {};
  int slices = 0;

  __device__ static int row() { return static_cast<int>(threadIdx.x) / (kConvTile / kConvWork) * kConvWork; }
  __device__ static int column() { return static_cast<int>(threadIdx.x) % (kConvTile / kConvWork) * kConvWork; }

  __device__ void add(const ConvSlice& a, const ConvSlice& b) {
#pragma unroll
    for (int k = 0; k < kConvDepth; k++) {
      const Channels<4> p = load<4>(&a[k][row()]), q = load<4>(&b[k][column()]);
#pragma unroll
      for (int i = 0; i < kConvWork; i++)
#pragma unroll
        for (int j = 0; j < kConvWork; j++) run[i][j] = fmaf(p.v[i], q.v[j], run[i][j]);
    }
    if (++slices == kConvRun) fold();
  }
  __device__ void fold() {
#pragma unroll
    for (int i = 0; i < kConvWork; i++)
#pragma unroll
      for (int j = 0; j < kConvWork; j++) {
        total[i][j] += run[i][j];
        run[i][j] = 0;
      }
    slices = 0;
  }
};

}  // namespace voxelspark
