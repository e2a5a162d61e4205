// Smallest and largest value of a thread block.
#pragma once
#include "ops/reduce/cuda_reduce.cuh"

namespace voxelspark {

struct ValueRange {
  float low, high;

  // What is not a number is left out, unless the range began with it.
  __device__ void add(ValueRange other) {
    if (other.low < low) low = other.low;
    if (other.high > high) high = other.high;
  }
};

// Over all threads of a block of kReduceThreads; to be called by all of them.
__device__ inline ValueRange range_of_block(ValueRange value) {
  SHARED_ARRAY(ValueRange, ranges, [kReduceThreads]);
  ranges[threadIdx.x] = value;
  for (unsigned half = kReduceThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) ranges[threadIdx.x].add(ranges[threadIdx.x + half]);
  }
  __syncthreads();
  const ValueRange all = ranges[0];
  __syncthreads();  // the next call writes there
  return all;
}

}  // namespace voxelspark
