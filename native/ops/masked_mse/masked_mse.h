// loss = mean of (target - prediction)^2 over the masked voxels of the whole batch (method.md section 5),
// over all voxels without a mask; channels count as elements. One double sum a (sample, z) plane, added in
// order of the planes. Nothing masked: loss and gradients are 0.
#pragma once
#include "ops/checks.h"
#include "ops/reduce/voxel_splits.h"

namespace voxelspark {

struct MaskedMse : Descriptor {
  std::shared_ptr<const BlockGrid> mask;

  void fields(FieldVisitor& v) override { v.field("mask", mask); }
  Layouts infer(const Inputs& in) const override {
    require_pair(in);
    return {plain(in[0].layout, scalar_shape())};
  }
  int64_t cuda_workspace(const Inputs& in) const override {
    return ElementSplits::of(in[0].layout.stored_elements()).splits * static_cast<int64_t>(sizeof(double));
  }
  void require_pair(const Inputs& in) const {
    require_dense(in[0].layout, "masked_mse", "prediction");
    require_same(in[1].layout, in[0].layout, "masked_mse", "target");
    if (mask) require_mask(mask.get(), in[0].layout.shape, "masked_mse");
  }
  // Elements that the mean runs over.
  int64_t count(const Layout& l) const {
    if (!mask) return l.shape.elements();
    const int64_t masked = static_cast<int64_t>(mask->block_of.size()) - mask->blocks();
    return masked * (l.shape.size() / mask->cells).product() * l.channels();
  }
  bool counts(int64_t n, Int3 cell) const {
    if (!mask) return true;
    return mask->block_of[((n * mask->cells.z + cell.z) * mask->cells.y + cell.y) * mask->cells.x + cell.x] < 0;
  }
  Int3 cells() const { return mask ? mask->cells : Int3{1, 1, 1}; }
};

struct MaskedMseBackward : MaskedMse {
  bool target_gradient = false;  // whether a second output, the gradient of the target, is wanted

  void fields(FieldVisitor& v) override {
    MaskedMse::fields(v);
    v.field("targetGradient", target_gradient);
  }
  Layouts infer(const Inputs& in) const override {
    require_pair(in);
    require_shape(in[2].layout.shape.elements() == 1,
                  "masked_mse: the gradient of the loss has shape " + to_string(in[2].layout.shape));
    return target_gradient ? Layouts{in[0].layout, in[0].layout} : Layouts{in[0].layout};
  }
  int64_t cuda_workspace(const Inputs&) const override { return 0; }
};

}  // namespace voxelspark
