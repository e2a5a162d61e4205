// y = factor * x. Its own backward pass: gx = factor * gy.
#pragma once
#include <cmath>

#include "core/text.h"
#include "ops/kernel.h"

namespace voxelspark {

struct Scale : Descriptor {
  double factor = 1;

  void fields(FieldVisitor& v) override { v.field("factor", factor); }
  Layouts infer(const Inputs& in) const override {
    require(std::isfinite(factor), "RANGE", "scale: factor is " + text_of(factor) + ", allowed are finite numbers");
    return {in[0].layout};
  }
};

}  // namespace voxelspark
