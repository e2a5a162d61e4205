// y = a + b, and sum += term in place (accumulation of gradients).
#pragma once
#include "ops/kernel.h"

namespace voxelspark {

struct Add : Descriptor {
  void fields(FieldVisitor&) override {}
  Layouts infer(const Inputs& in) const override {
    require_same(in);
    return {in[0].layout};
  }
  static void require_same(const Inputs& in) {
    require_shape(in[0].layout.shape == in[1].layout.shape && in[0].layout.grid == in[1].layout.grid,
                  "add: shapes " + to_string(in[0].layout.shape) + " and " + to_string(in[1].layout.shape) +
                      " or their masks differ");
  }
};

struct Accumulate : Add {
  Layouts infer(const Inputs& in) const override {
    require_same(in);
    return {};
  }
};

}  // namespace voxelspark
