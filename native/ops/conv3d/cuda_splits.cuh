// A weight gradient from the sums of its splits, in their order.
#pragma once
#include "device/cuda.cuh"

namespace voxelspark {

struct AddSplits {
  const float* partial;  // [split][element]
  int64_t splits, elements;
  float* gw;

  __device__ void operator()(int64_t i) const {
    double sum = 0;
    for (int64_t s = 0; s < splits; s++) sum += partial[s * elements + i];
    gw[i] = static_cast<float>(sum);
  }
};

}  // namespace voxelspark
