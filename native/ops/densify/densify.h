// y = x where visible, token[c] (or 0) where masked; y is dense (method.md section 4 b). The gradient of x is
// apply_mask of gy; that of the token is the sum of gy over masked voxels, in chunks of masked cells whose
// size follows from the shape, in double, merged in order of the cells.
#pragma once
#include "ops/checks.h"
#include "ops/reduce/voxel_splits.h"

namespace voxelspark {

inline void require_token(const Inputs& in, size_t i, int64_t channels) {
  if (!present(in, i)) return;
  const Shape& s = in[i].layout.shape;
  const std::string c = std::to_string(channels);
  require_shape(s == vector_shape(channels) || s == feature_shape(1, channels, {1, 1, 1}),
                "densify: token has shape " + to_string(s) + ", allowed are (" + c + ") and (1, " + c + ", 1, 1, 1)");
}

struct Densify : Descriptor {
  void fields(FieldVisitor&) override {}
  Layouts infer(const Inputs& in) const override {
    require_feature_map(in[0].layout, "densify", "x");
    require_shape(in[0].layout.grid != nullptr, "densify: x " + to_string(in[0].layout.shape) + " is dense already");
    require_token(in, 1, in[0].layout.channels());
    return {plain(in[0].layout, in[0].layout.shape)};
  }
  // A row of masked voxels, ready to be copied.
  int64_t workspace(const Inputs& in) const override {
    return in[0].layout.edge().x * in[0].layout.channels() * size_of(in[0].layout.dtype);
  }
};

struct DensifyTokenGradient : Descriptor {
  std::shared_ptr<const BlockGrid> mask;

  void fields(FieldVisitor& v) override { v.field("mask", mask); }
  Layouts infer(const Inputs& in) const override {
    require_dense(in[0].layout, "densify", "gy");
    require_mask(mask.get(), in[0].layout.shape, "densify");
    require_token(in, 1, in[0].layout.channels());
    return {in[1].layout};
  }
  int64_t cuda_workspace(const Inputs& in) const override {
    return VoxelSplits::of(in[0].layout, true).bytes(1, in[0].layout.channels());
  }
};

}  // namespace voxelspark
