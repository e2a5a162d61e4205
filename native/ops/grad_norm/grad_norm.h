// norm = sqrt(sum of squares of all elements of all tensors) / gradient_scale: the global L2 norm of the gradients. A
// `scale` of one element takes the place of gradient_scale.
// Squares and sums in double; one partial sum per chunk of a tensor, added in order.
#pragma once
#include <cmath>

#include "core/text.h"
#include "ops/kernel.h"
#include "ops/reduce/tensor_chunks.h"

namespace voxelspark {

struct GradNorm : Descriptor {
  double gradient_scale = 1;  // what the loss was multiplied with

  void fields(FieldVisitor& v) override { v.field("gradientScale", gradient_scale); }
  Layouts infer(const Inputs& in) const override {
    require(gradient_scale > 0 && gradient_scale < HUGE_VAL, "RANGE",
            "grad_norm: gradientScale is " + text_of(gradient_scale) + ", allowed is (0, inf)");
    require_shape(in.size() > 1, "grad_norm needs at least one tensor");
    if (present(in, 0))
      require_shape(in[0].layout.shape.elements() == 1,
                    "grad_norm: scale has shape " + to_string(in[0].layout.shape) + ", allowed is ()");
    return {plain(in[1].layout, scalar_shape())};
  }
  static Inputs tensors(const Inputs& in) { return Inputs(in.begin() + 1, in.end()); }
  template <class T>
  double scale(const Inputs& in) const {
    return present(in, 0) ? *in[0].as<T>() : gradient_scale;
  }
  int64_t cuda_workspace(const Inputs& in) const override {
    int64_t chunks = 1;
    for (const Tensor& t : tensors(in)) chunks += cuda_chunks(t.layout.stored_elements());
    return chunks * static_cast<int64_t>(sizeof(double));
  }
};

}  // namespace voxelspark
