#include "ops/token_affine/token_affine.h"

namespace voxelspark {

DEFINE_KERNEL(token_affine_forward, TokenAffine)
DEFINE_KERNEL(token_affine_backward, TokenAffineBackward)

void token_affine_forward_cpu(const Descriptor&, const Launch& l) {
  for (int64_t c = 0; c < l.outputs[0].layout.shape[0]; c++) {
    l.outputs[0].f32()[c] = 1;
    l.outputs[1].f32()[c] = -l.inputs[0].f32()[c];
  }
}

void token_affine_backward_cpu(const Descriptor&, const Launch& l) {
  for (int64_t c = 0; c < l.inputs[0].layout.shape[0]; c++) l.outputs[0].f32()[c] = -l.inputs[0].f32()[c];
}

}  // namespace voxelspark
