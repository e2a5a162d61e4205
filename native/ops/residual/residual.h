// y = act(a(x) + b(skip)), the end of a residual block (BasicBlockD): act = LeakyReLU of `slope` (1 = none), a and b
// the normalisations that are pending on x and skip, each with a LeakyReLU of its own slope. Without a skip: y =
// act(a(x)), which writes out a pending map. Over stored voxels only: masked ones stay masked.
#pragma once
#include "core/text.h"
#include "ops/pending.h"

namespace voxelspark {

// Inputs: x, skip?, affine?, skip_affine?.
struct Residual : Descriptor {
  double slope = 1, x_slope = 1, skip_slope = 1;

  void fields(FieldVisitor& v) override {
    v.field("slope", slope);
    v.field("xSlope", x_slope);
    v.field("skipSlope", skip_slope);
  }
  Layouts infer(const Inputs& in) const override {
    const std::string op = "residual";
    const Layout& x = in[0].layout;
    require_feature_map(x, op, "x");
    if (present(in, 1)) require_same(in[1].layout, x, op, "skip");
    require(present(in, 1) || !present(in, 3), "TYPE", op + ": a skip's normalisation without a skip");
    require(slope >= 0 && slope <= 1, "RANGE", op + ": slope is " + text_of(slope) + ", allowed is [0, 1]");
    require_affine(in, 2, x, x_slope, op);
    require_affine(in, 3, x, skip_slope, op);
    return {x};
  }
};

}  // namespace voxelspark
