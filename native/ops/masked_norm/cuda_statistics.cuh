// Statistics of masked_norm on the device.
#pragma once
#include "ops/masked_norm/masked_norm.h"
#include "ops/reduce/cuda_reduce.cuh"

namespace voxelspark {

// Outputs 1 and 2, mean and inverse_std; updates the running statistics. Moments of x, input 5, are taken where they
// are given.
void norm_statistics_cuda(const MaskedNormForward& op, const Launch& l);

}  // namespace voxelspark
