// Transposed convolution whose stride equals its kernel, so that outputs do not overlap:
// y[n, q * k + r, o] = bias[o] + sum over channels i of x[n, q, i] * weight[i, o, r], 0 <= r < k.
//
// Weights (Cin, Cout, kz, ky, kx) lie as [Cin][kz][ky][kx][Cout]. It is the gradient of the input of a conv3d with
// stride k and no padding, and shares that engine. A sparse x gives a sparse y under the same grid.
#pragma once
#include "ops/pending.h"

namespace voxelspark {

// Inputs: x, weight, bias?, affine? of a normalisation pending on x, with a leaky ReLU of `slope`.
struct ConvTransposeForward : Descriptor {
  double slope = 1;
  void fields(FieldVisitor& v) override { v.field("slope", slope); }
  Layouts infer(const Inputs& in) const override;
  int64_t workspace(const Inputs& in) const override;
  int64_t cuda_workspace(const Inputs& in) const override;
};

struct ConvTransposeGradInput : Descriptor {
  void fields(FieldVisitor&) override {}
  Layouts infer(const Inputs& in) const override;
  int64_t workspace(const Inputs& in) const override;
  int64_t cuda_workspace(const Inputs& in) const override;
};

// Inputs: x, gy, affine? of x.
struct ConvTransposeGradWeight : Descriptor {
  bool bias = false;
  double slope = 1;
  void fields(FieldVisitor& v) override {
    v.field("bias", bias);
    v.field("slope", slope);
  }
  Layouts infer(const Inputs& in) const override;
  int64_t workspace(const Inputs& in) const override;
  int64_t cuda_workspace(const Inputs& in) const override;
};

}  // namespace voxelspark
