// Reverses axes in place: x[z][y][x] <- x[D-1-z][y][W-1-x] and the like. Pure copying, exact.
#pragma once
#include "ops/checks.h"

namespace voxelspark {

struct Mirror : Descriptor {
  Int3 axes;  // 1: reversed

  void fields(FieldVisitor& v) override { v.field("axes", axes); }
  Layouts infer(const Inputs& in) const override {
    require_dense(in[0].layout, "mirror", "x");
    for (int64_t a : {axes.z, axes.y, axes.x})
      require(a == 0 || a == 1, "RANGE", "mirror: axes is " + to_string(axes) + ", allowed are 0 and 1");
    return {};
  }
  Int3 partner(Int3 p, Int3 size) const {
    return {axes.z ? size.z - 1 - p.z : p.z, axes.y ? size.y - 1 - p.y : p.y, axes.x ? size.x - 1 - p.x : p.x};
  }
};

}  // namespace voxelspark
