// Sums from those of their splits, in the order of the splits.
#pragma once
#include "device/cuda.cuh"

namespace voxelspark {

template <class Part, class Sum>
struct AddSplits {
  const Part* partial;  // [group][split][element]
  int64_t splits, elements;
  Sum* sums;  // [group][element]

  __device__ void operator()(int64_t i) const {
    const int64_t group = quotient(i, elements), element = i - group * elements;
    double sum = 0;
    for (int64_t s = 0; s < splits; s++) sum += partial[(group * splits + s) * elements + element];
    sums[i] = static_cast<Sum>(sum);
  }
};

template <class Part, class Sum>
void add_splits(const Part* partial, int64_t groups, int64_t splits, int64_t elements, Sum* sums, const char* what) {
  launch_elementwise(groups * elements, AddSplits<Part, Sum>{partial, splits, elements, sums}, what);
}

}  // namespace voxelspark
