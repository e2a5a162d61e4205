// y = the visible blocks of a dense x: pure copying, exact. The gradient is densify without a token.
#pragma once
#include "ops/checks.h"

namespace voxelspark {

struct ApplyMask : Descriptor {
  std::shared_ptr<const BlockGrid> mask;

  void fields(FieldVisitor& v) override { v.field("mask", mask); }
  Layouts infer(const Inputs& in) const override {
    require_dense(in[0].layout, "apply_mask", "x");
    require_mask(mask.get(), in[0].layout.shape, "apply_mask");
    return {{in[0].layout.shape, in[0].layout.dtype, mask}};
  }
};

}  // namespace voxelspark
