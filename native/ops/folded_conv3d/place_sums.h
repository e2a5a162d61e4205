// sums[place][k] of a dense tensor over its voxels of each of the 27 kinds of places, all samples together. One pass in
// double precision; planes are added in their order, so no bit depends on threads.
#pragma once
#include <vector>

#include "core/tensor.h"

namespace voxelspark {

std::vector<double> place_sums(const Tensor& t);

}  // namespace voxelspark
