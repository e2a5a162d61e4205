// What the backward pass of a normalisation sums up of g, the gradient of n = act((x - mean) scale + shift), over the
// stored voxels of each sample: of g act' and of g act' (x - mean). The kernel that makes g may leave them.
#pragma once
#include <vector>

#include "core/tensor.h"

namespace voxelspark {

// Asks the kernel that makes g for them.
struct NormSums {
  Tensor x;             // of g's layout, with what is pending on it
  float* to = nullptr;  // [sample][2][C]; null: not wanted
};

// The same by a pass over both, [sample][2][C], in double: chunks that follow from the shape, added in their order.
std::vector<double> norm_sums(const Tensor& g, const Tensor& x);

}  // namespace voxelspark
