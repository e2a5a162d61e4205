// norm = sqrt(sum of squares of all elements of all tensors): the global L2 norm of the gradients. Squares and sums in
// double; one partial sum per chunk of a tensor, added in order.
#pragma once
#include "ops/kernel.h"

namespace voxelspark {

struct GradNorm : Descriptor {
  void fields(FieldVisitor&) override {}
  Layouts infer(const Inputs& in) const override { return {plain(in[0].layout, scalar_shape())}; }
};

}  // namespace voxelspark
