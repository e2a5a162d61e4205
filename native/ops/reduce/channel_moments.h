// Mean and sum of squared deviations per sample and channel over stored voxels, the statistics of a normalisation.
#pragma once
#include <vector>

#include "core/tensor.h"

namespace voxelspark {

// Of one set of values a channel: mean[C], then m2[C], the sum of squared deviations from it.
struct Moments {
  double* mean;
  double* m2;
};

// Adds a part to a whole of `before` values (Chan, Golub and LeVeque 1983).
void merge_moments(const Moments& whole, double before, const double* mean, const double* m2, double count,
                   int64_t channels);

// [sample][mean, m2][C]. Chunks of 128 KB that follow from the shape are merged in their order, so no bit depends on
// threads. Per chunk: sums in double, then, from the L2 cache, sums of x - mean and (x - mean)^2; the first of these
// corrects the rounding of the mean.
std::vector<double> channel_moments(const Tensor& t);

}  // namespace voxelspark
