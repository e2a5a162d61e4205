#include "ops/folded_conv3d/cuda_plan.h"

namespace voxelspark {

int64_t FoldedConv::cuda_workspace(const Inputs& in) const {
  Parts parts;
  FoldedParts(parts, in[1].layout);
  return parts.bytes();
}

int64_t FoldedConvConstants::cuda_workspace(const Inputs& in) const {
  Parts parts;
  ConstantsParts(parts, in[0].layout, in[1].layout);
  return parts.bytes();
}

}  // namespace voxelspark
