// norm = sqrt(sum of squares of all elements of all tensors) / gradient_scale: the global L2 norm of the gradients.
// Squares and sums in double; one partial sum per chunk of a tensor, added in order.
#pragma once
#include <cmath>

#include "ops/kernel.h"
#include "ops/reduce/tensor_chunks.h"

namespace voxelspark {

struct GradNorm : Descriptor {
  double gradient_scale = 1;  // what the loss was multiplied with

  void fields(FieldVisitor& v) override { v.field("gradientScale", gradient_scale); }
  Layouts infer(const Inputs& in) const override {
    require(gradient_scale > 0 && gradient_scale < HUGE_VAL, "RANGE",
            "grad_norm: gradientScale is " + std::to_string(gradient_scale) + ", allowed is (0, inf)");
    return {plain(in[0].layout, scalar_shape())};
  }
  int64_t cuda_workspace(const Inputs& in) const override {
    int64_t chunks = 1;
    for (const Tensor& t : in) chunks += cuda_chunks(t.layout.stored_elements());
    return chunks * static_cast<int64_t>(sizeof(double));
  }
};

}  // namespace voxelspark
