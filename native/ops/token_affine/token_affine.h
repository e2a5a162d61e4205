// gamma = 1 and beta = -token, (C) each: the affine map that makes a norm give xhat - token. Exact.
#pragma once
#include "ops/densify/densify.h"

namespace voxelspark {

struct TokenAffine : Descriptor {
  void fields(FieldVisitor&) override {}
  Layouts infer(const Inputs& in) const override {
    const Shape& s = in[0].layout.shape;
    const int64_t channels = s.rank == 5 ? s.channels() : s.elements();
    require_token(in, 0, channels);
    const Layout vector = plain(in[0].layout, vector_shape(channels));
    return {vector, vector};
  }
};

// Inputs: gbeta, token (for its shape). gtoken = -gbeta.
struct TokenAffineBackward : Descriptor {
  void fields(FieldVisitor&) override {}
  Layouts infer(const Inputs& in) const override {
    const Shape& s = in[0].layout.shape;
    require_shape(s.rank == 1, "token_affine: gbeta has shape " + to_string(s) + ", allowed is (C)");
    require_token(in, 1, s[0]);
    return {in[1].layout};
  }
};

}  // namespace voxelspark
