// Shape checks that several ops share; each throws a sentence with what was found and what is allowed.
#pragma once
#include "ops/kernel.h"

namespace voxelspark {

inline bool same_place(const Layout& a, const Layout& b) { return a.shape == b.shape && a.grid == b.grid; }

inline std::string describe(const Layout& l) { return to_string(l.shape) + (l.grid ? " under a mask" : ""); }

inline void require_feature_map(const Layout& l, const std::string& op, const char* name) {
  require_shape(l.shape.rank == 5,
                op + ": " + name + " has shape " + to_string(l.shape) + ", allowed is (N, C, D, H, W)");
}

inline void require_dense(const Layout& l, const std::string& op, const char* name) {
  require_feature_map(l, op, name);
  require_shape(!l.grid, op + ": " + name + " " + describe(l) + " must be dense; densify it first");
}

// What has one channel; several are given as samples.
inline void require_one_channel(const Layout& l, const std::string& op) {
  require_dense(l, op, "x");
  require_shape(l.channels() == 1,
                op + ": x is " + to_string(l.shape) + ", allowed is one channel: let channels be samples");
}

inline void require_same(const Layout& l, const Layout& model, const std::string& op, const char* name) {
  require_shape(same_place(l, model),
                op + ": " + name + " " + describe(l) + " does not match " + describe(model) + " or its mask");
}

inline void require_channels(const Inputs& in, size_t i, int64_t channels, const std::string& op, const char* name) {
  if (!present(in, i)) return;
  const Shape& s = in[i].layout.shape;
  require_shape(s == vector_shape(channels),
                op + ": " + name + " has shape " + to_string(s) + ", allowed is (" + std::to_string(channels) + ")");
}

inline void require_mask(const BlockGrid* mask, const Shape& s, const std::string& op) {
  require(mask, "TYPE", op + " needs a mask");
  require_shape(mask->samples == s.samples() && divides(mask->cells, s.size()),
                op + ": a mask of " + std::to_string(mask->samples) + " samples and grid " + to_string(mask->cells) +
                    " does not divide shape " + to_string(s));
}

}  // namespace voxelspark
