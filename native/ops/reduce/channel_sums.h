// Gradients of biases: what arrives at a channel, summed over the voxels.
#pragma once
#include "core/tensor.h"

namespace voxelspark {

// sums[c] over all stored voxels of t, added in double precision: the values may nearly cancel.
void channel_sums(const Tensor& t, const Tensor& sums);

}  // namespace voxelspark
