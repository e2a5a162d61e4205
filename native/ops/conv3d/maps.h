// What the engines of the CPU read and write: one feature map, or several of one grid whose channels follow each other,
// as if they were joined.
#pragma once
#include <vector>

#include "core/tensor.h"

namespace voxelspark {

struct Maps {
  std::vector<Tensor> parts;
  Layout layout;  // of all channels

  Maps(const Tensor& map) : parts{map}, layout(map.layout) {}
  explicit Maps(std::vector<Tensor> joined) : parts(std::move(joined)), layout(parts[0].layout) {
    for (size_t i = 1; i < parts.size(); i++) layout.shape.dims[1] += parts[i].layout.channels();
  }
  int64_t channels() const { return layout.channels(); }
  // Only a single map can have one.
  const Pending& pending() const { return parts[0].pending; }
};

}  // namespace voxelspark
