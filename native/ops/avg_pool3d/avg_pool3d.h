// y = mean of x over windows of `kernel` voxels, stride = kernel, no padding. Windows never leave a block, so
// a masked tensor pools its visible blocks and nothing mixes. Window sums run z, y, x: fixed order, no shared
// sums.
#pragma once
#include "ops/checks.h"

namespace voxelspark {

struct AvgPool3d : Descriptor {
  Int3 kernel{2, 2, 2};

  void fields(FieldVisitor& v) override { v.field("kernel", kernel); }
  Layouts infer(const Inputs& in) const override {
    const Layout& x = in[0].layout;
    require_feature_map(x, "avg_pool3d", "x");
    require_kernel();
    require_shape(divides(kernel, x.edge()), "avg_pool3d: kernel " + to_string(kernel) + " does not divide the " +
                                                 (x.grid ? "block edge " : "volume ") + to_string(x.edge()) + " of x");
    return {like(x, feature_shape(x.shape.samples(), x.channels(), x.shape.size() / kernel))};
  }
  void require_kernel() const {
    require(kernel.z >= 1 && kernel.y >= 1 && kernel.x >= 1 && kernel.z < (1 << 20) && kernel.y < (1 << 20) &&
                kernel.x < (1 << 20),
            "RANGE", "avg_pool3d: kernel is " + to_string(kernel) + ", allowed are sizes from 1");
  }
};

struct AvgPool3dBackward : AvgPool3d {
  Layouts infer(const Inputs& in) const override {
    const Layout& gy = in[0].layout;
    require_feature_map(gy, "avg_pool3d", "gy");
    require_kernel();
    return {like(gy, feature_shape(gy.shape.samples(), gy.channels(), gy.shape.size() * kernel))};
  }
};

}  // namespace voxelspark
