// y = the channels of all sources one after another, voxel by voxel; backward cuts gy into the parts again.
// All sources have one volume and one mask. Pure copying, exact.
#pragma once
#include "core/text.h"
#include "ops/checks.h"

namespace voxelspark {

struct Concat : Descriptor {
  void fields(FieldVisitor&) override {}
  Layouts infer(const Inputs& in) const override {
    require_shape(in.size() >= 2, "concat: got " + std::to_string(in.size()) + " sources, allowed are 2 or more");
    Shape out = in[0].layout.shape;
    for (size_t i = 0; i < in.size(); i++) {
      const Layout& l = in[i].layout;
      require_feature_map(l, "concat", "a source");
      Shape wanted = out;
      wanted.dims[1] = l.channels();
      require_shape(l.shape == wanted && l.grid == in[0].layout.grid,
                    "concat: source " + std::to_string(i) + " " + describe(l) + " does not match source 0 " +
                        describe(in[0].layout) + " or its mask; only channels may differ");
      if (i) out.dims[1] += l.channels();
    }
    return {like(in[0].layout, out)};
  }
};

struct ConcatBackward : Descriptor {
  std::vector<double> channels;  // of the sources

  void fields(FieldVisitor& v) override { v.field("channels", channels); }
  Layouts infer(const Inputs& in) const override {
    require_feature_map(in[0].layout, "concat", "gy");
    Layouts parts;
    int64_t sum = 0;
    for (double c : channels) {
      require(c >= 1 && c <= 1e9, "RANGE", "concat: a source of " + text_of(c) + " channels is not possible");
      Shape s = in[0].layout.shape;
      sum += s.dims[1] = static_cast<int64_t>(c);
      parts.push_back(like(in[0].layout, s));
    }
    require_shape(sum == in[0].layout.channels(), "concat: the sources have " + std::to_string(sum) +
                                                      " channels, gy has " + to_string(in[0].layout.shape));
    return parts;
  }
};

}  // namespace voxelspark
