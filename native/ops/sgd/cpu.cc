#include "device/parallel.h"
#include "ops/reduce/tensor_chunks.h"
#include "ops/sgd/sgd.h"
#include "ops/sgd/simd.h"

namespace voxelspark {

DEFINE_KERNEL(sgd, Sgd)

void sgd_cpu(const Descriptor& d, const Launch& l) {
  const auto& op = as<Sgd>(d);
  const double norm = present(l.inputs, 0) ? *l.inputs[0].f32() : 0;
  if (!std::isfinite(norm)) return;
  const SgdStep s{op.rate<float>(l.inputs), static_cast<float>(op.momentum), static_cast<float>(op.weight_decay),
                  static_cast<float>(op.clipping<float>(l.inputs)), op.nesterov};
  const std::vector<Tensor> tensors(l.inputs.begin() + Sgd::kScalars, l.inputs.end());
  const int64_t n = op.parameters(l.inputs);
  const auto chunks = tensor_chunks(tensors, n);
  auto range = simd_sgd_range();
  parallel_for(static_cast<int64_t>(chunks.size()), [&](int64_t i) {
    const TensorChunk& c = chunks[i];
    float* v = op.momentum > 0 ? tensors[2 * n + c.tensor].f32() + c.begin : nullptr;
    range(s, tensors[c.tensor].f32() + c.begin, tensors[n + c.tensor].f32() + c.begin, v, c.elements);
  });
}

}  // namespace voxelspark
