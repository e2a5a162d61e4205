#include "ops/folded_conv3d/cuda_plan.h"

#include "ops/conv3d/cuda_engine.h"

namespace voxelspark {

int64_t FoldedConv::cuda_workspace(const Inputs& in) const {
  Parts parts;
  FoldedParts(parts, in[1].layout);
  const Layout y = infer(in)[0];
  const ConvGeometry g = same_size(kernel_of(in[1]));
  const int64_t near = convolution_workspace({g, false, in[0].layout, y});
  const int64_t whole = present(in, 4) ? convolution_workspace({g, false, in[4].layout, y}) : 0;
  return parts.bytes() + std::max(near, whole);
}

int64_t FoldedConvConstants::cuda_workspace(const Inputs& in) const {
  Parts parts;
  ConstantsParts(parts, in[0].layout, in[1].layout);
  return parts.bytes();
}

}  // namespace voxelspark
