#include <cmath>

#include "device/parallel.h"
#include "ops/grad_norm/grad_norm.h"
#include "ops/reduce/simd.h"
#include "ops/reduce/tensor_chunks.h"

namespace voxelspark {

DEFINE_KERNEL(grad_norm, GradNorm)

void grad_norm_cpu(const Descriptor& d, const Launch& l) {
  const Inputs tensors = GradNorm::tensors(l.inputs);
  const auto chunks = tensor_chunks(tensors, static_cast<int64_t>(tensors.size()));
  std::vector<double> sums(chunks.size());
  auto square_sum = simd_square_sum();
  parallel_for(static_cast<int64_t>(chunks.size()), [&](int64_t i) {
    sums[i] = square_sum(tensors[chunks[i].tensor].f32() + chunks[i].begin, chunks[i].elements);
  });
  double total = 0;
  for (double s : sums) total += s;
  *l.outputs[0].f32() = static_cast<float>(std::sqrt(total) / as<GradNorm>(d).scale<float>(l.inputs));
}

}  // namespace voxelspark
