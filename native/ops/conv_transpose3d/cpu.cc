// Until the gather-GEMM engine lands the CPU runs the reference loops: correct, not fast.
#include "ops/conv_transpose3d/conv_transpose3d.h"

namespace voxelspark {

DEFINE_KERNEL(conv_transpose3d_forward, ConvTransposeForward)
DEFINE_KERNEL(conv_transpose3d_grad_input, ConvTransposeGradInput)
DEFINE_KERNEL(conv_transpose3d_grad_weight, ConvTransposeGradWeight)

void conv_transpose3d_forward_reference(const Descriptor& d, const Launch& l);
void conv_transpose3d_grad_input_reference(const Descriptor& d, const Launch& l);
void conv_transpose3d_grad_weight_reference(const Descriptor& d, const Launch& l);

int64_t ConvTransposeForward::workspace(const Inputs&) const { return 0; }
int64_t ConvTransposeGradInput::workspace(const Inputs&) const { return 0; }
int64_t ConvTransposeGradWeight::workspace(const Inputs&) const { return 0; }

void conv_transpose3d_forward_cpu(const Descriptor& d, const Launch& l) { conv_transpose3d_forward_reference(d, l); }
void conv_transpose3d_grad_input_cpu(const Descriptor& d, const Launch& l) {
  conv_transpose3d_grad_input_reference(d, l);
}
void conv_transpose3d_grad_weight_cpu(const Descriptor& d, const Launch& l) {
  conv_transpose3d_grad_weight_reference(d, l);
}

}  // namespace voxelspark
