#pragma once
#include "ops/folded_conv3d/folded_conv3d.h"

namespace voxelspark {

// y += conv(s) for a sparse s and a dense y, "same" padding. Only tiles that see a visible block are computed.
void near_gemm_cuda(const Tensor& s, const Tensor& weight, const Tensor& y);

}  // namespace voxelspark
