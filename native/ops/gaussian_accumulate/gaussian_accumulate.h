// Sliding-window prediction (method.md section 8): sum[offset + p] += window[p] * patch[p'] and
// weight[offset + p] += window[p] for every voxel p of the patch that falls inside of the accumulator; p' is p with
// the axes of `flip` reversed. Without a window all weights are 1, which crops (negative offset) and pastes. Then
// gaussian_normalize: sum /= weight.
//
// Dense, channels last; sum and patch have the same channels, weight and window have one. Elementwise: a voxel is
// written by one item of work, once a launch, so launches in the same order give the same bits for any cut of the
// volume into slabs and for any number of threads.
#pragma once
#include <algorithm>

#include "ops/checks.h"

namespace voxelspark {

// The voxels of the accumulator that a patch touches, [begin, end).
struct Overlap {
  Int3 begin, end;
  bool empty() const { return end.z <= begin.z || end.y <= begin.y || end.x <= begin.x; }
};

struct GaussianAccumulate : Descriptor {
  Int3 offset;  // of the patch's first voxel in the accumulator; may be negative
  Int3 flip;    // 1: the patch is read backwards along that axis

  void fields(FieldVisitor& v) override {
    v.field("offset", offset);
    v.field("flip", flip);
  }
  Layouts infer(const Inputs& in) const override {
    const std::string op = "gaussian_accumulate";
    const Layout &sum = in[0].layout, &patch = in[2].layout;
    require_dense(sum, op, "sum");
    require_dense(patch, op, "patch");
    require_shape(sum.shape.samples() == patch.shape.samples() && sum.channels() == patch.channels(),
                  op + ": patch " + to_string(patch.shape) + " needs the samples and channels of sum " +
                      to_string(sum.shape));
    require_map(in, 1, sum.shape, op, "weight");
    require_map(in, 3, feature_shape(1, 1, patch.shape.size()), op, "window");
    require_near(offset.z);
    require_near(offset.y);
    require_near(offset.x);
    for (int64_t f : {flip.z, flip.y, flip.x})
      require(f == 0 || f == 1, "RANGE", op + ": flip is " + to_string(flip) + ", allowed are 0 and 1");
    for (size_t i : {size_t(2), size_t(3)})
      require(!present(in, i) || !in[i].data || (in[i].data != in[0].data && in[i].data != in[1].data), "TYPE",
              op + ": what is accumulated must not be the accumulator itself");
    return {};
  }
  static void require_near(int64_t offset) {
    constexpr int64_t kMost = int64_t(1) << 40;
    require(offset > -kMost && offset < kMost, "RANGE",
            "gaussian_accumulate: offset is " + std::to_string(offset) + ", allowed is less than 2^40 in size");
  }
  static void require_map(const Inputs& in, size_t i, const Shape& model, const std::string& op, const char* name) {
    if (!present(in, i)) return;
    require_dense(in[i].layout, op, name);
    const Shape wanted = feature_shape(model.samples(), 1, model.size());
    require_shape(in[i].layout.shape == wanted, op + ": " + name + " has shape " + to_string(in[i].layout.shape) +
                                                    ", allowed is " + to_string(wanted));
  }
  Overlap overlap(const Inputs& in) const {
    const Int3 size = in[0].layout.shape.size(), end = offset + in[2].layout.shape.size();
    return {{std::max<int64_t>(offset.z, 0), std::max<int64_t>(offset.y, 0), std::max<int64_t>(offset.x, 0)},
            {std::min(end.z, size.z), std::min(end.y, size.y), std::min(end.x, size.x)}};
  }
  // Where the value of the patch's voxel p lies.
  Int3 source(Int3 p, Int3 size) const {
    return {flip.z ? size.z - 1 - p.z : p.z, flip.y ? size.y - 1 - p.y : p.y, flip.x ? size.x - 1 - p.x : p.x};
  }
};

struct GaussianNormalize : Descriptor {
  void fields(FieldVisitor&) override {}
  Layouts infer(const Inputs& in) const override {
    require_dense(in[0].layout, "gaussian_normalize", "sum");
    GaussianAccumulate::require_map(in, 1, in[0].layout.shape, "gaussian_normalize", "weight");
    return {};
  }
};

inline int64_t row_of(int64_t n, Int3 size, int64_t z, int64_t y) { return ((n * size.z + z) * size.y + y) * size.x; }

}  // namespace voxelspark
