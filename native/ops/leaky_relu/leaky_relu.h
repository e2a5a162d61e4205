// y = x for x > 0, slope * x else. Backward reads whether the output is above 0, which says the same of the
// input, so the input need not be kept. slope 0 is the ReLU.
#pragma once
#include "core/text.h"
#include "ops/kernel.h"

namespace voxelspark {

struct LeakyRelu : Descriptor {
  double slope = 0.01;

  void fields(FieldVisitor& v) override { v.field("slope", slope); }
  Layouts infer(const Inputs& in) const override {
    require(slope >= 0 && slope <= 1, "RANGE", "leaky_relu: slope is " + text_of(slope) + ", allowed is [0, 1]");
    for (const Tensor& t : in)
      require_shape(t.layout.shape == in[0].layout.shape && t.layout.grid == in[0].layout.grid,
                    "leaky_relu: gradient " + to_string(t.layout.shape) + " does not match output " +
                        to_string(in[0].layout.shape) + " or its mask");
    return {in[0].layout};
  }
};

}  // namespace voxelspark
