#include "ops/resample/cuda_plan.h"

namespace voxelspark {

int64_t ResampleSeparable::cuda_workspace(const Inputs& in) const {
  Parts parts;
  SeparableParts(parts, *this, in[0].layout.shape);
  return parts.bytes();
}

int64_t ResampleSeparableBackward::cuda_workspace(const Inputs& in) const {
  Parts parts;
  SeparableBackwardParts(parts, *this, in);
  return parts.bytes();
}

int64_t ResampleAffine::cuda_workspace(const Inputs& in) const {
  const Shape& s = in[0].layout.shape;
  Parts parts;
  AffineParts(parts, order, s.samples(), s.channels(), s.size());
  return parts.bytes();
}

int64_t ResampleAffineBackward::cuda_workspace(const Inputs& in) const {
  const Shape& s = in[0].layout.shape;
  Parts parts;
  AffineParts(parts, order, s.samples(), s.channels(), from);
  return parts.bytes();
}

}  // namespace voxelspark
