// Until the gather-GEMM engine lands the CPU runs the reference loops: correct, not fast.
#include "ops/conv3d/conv3d.h"

namespace voxelspark {

DEFINE_KERNEL(conv3d_forward, ConvForward)
DEFINE_KERNEL(conv3d_grad_input, ConvGradInput)
DEFINE_KERNEL(conv3d_grad_weight, ConvGradWeight)

void conv3d_forward_reference(const Descriptor& d, const Launch& l);
void conv3d_grad_input_reference(const Descriptor& d, const Launch& l);
void conv3d_grad_weight_reference(const Descriptor& d, const Launch& l);

int64_t ConvForward::workspace(const Inputs&) const { return 0; }
int64_t ConvGradInput::workspace(const Inputs&) const { return 0; }
int64_t ConvGradWeight::workspace(const Inputs&) const { return 0; }

void conv3d_forward_cpu(const Descriptor& d, const Launch& l) { conv3d_forward_reference(d, l); }
void conv3d_grad_input_cpu(const Descriptor& d, const Launch& l) { conv3d_grad_input_reference(d, l); }
void conv3d_grad_weight_cpu(const Descriptor& d, const Launch& l) { conv3d_grad_weight_reference(d, l); }

}  // namespace voxelspark
