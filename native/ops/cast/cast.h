// y = x in another element type, rounded to the nearest, ties to even, where that has fewer bits; beyond the largest
// number of float16 it is infinity. The runtime knows which device has which types; the gradient is the cast back.
#pragma once
#include "ops/kernel.h"

namespace voxelspark {

struct Cast : Descriptor {
  int64_t dtype = 0;  // a DType

  void fields(FieldVisitor& v) override { v.field("dtype", dtype); }
  Layouts infer(const Inputs& in) const override {
    require(dtype >= 0 && dtype < kDTypes, "RANGE", "cast: dtype is " + std::to_string(dtype) + ", allowed are 0 to 3");
    Layout y = in[0].layout;
    y.dtype = static_cast<DType>(dtype);
    return {y};
  }
};

}  // namespace voxelspark
