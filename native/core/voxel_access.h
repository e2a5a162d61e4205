// Logical access to a feature map, whatever its storage: the plain-spoken way to voxels that the reference kernels
// and the transfers between JavaScript order (N, C, D, H, W) and blocks use. Fast kernels walk blocks instead.
#pragma once
#include "core/tensor.h"

namespace voxelspark {

template <class T>
class VoxelAccess {
 public:
  VoxelAccess(const Layout& layout, T* data)
      : layout_(layout), data_(data), edge_(layout.edge()), cells_(layout.grid ? layout.grid->cells : Int3{1, 1, 1}) {}

  // Channels of a voxel, or null where it is outside the volume or masked.
  T* at(int64_t n, int64_t z, int64_t y, int64_t x) const {
    const Int3 size = layout_.shape.size();
    if (z < 0 || y < 0 || x < 0 || z >= size.z || y >= size.y || x >= size.x) return nullptr;
    int64_t block = n;
    if (layout_.grid) {
      block = layout_.grid->block_of[((n * cells_.z + z / edge_.z) * cells_.y + y / edge_.y) * cells_.x + x / edge_.x];
      if (block < 0) return nullptr;
    }
    const int64_t voxel = ((block * edge_.z + z % edge_.z) * edge_.y + y % edge_.y) * edge_.x + x % edge_.x;
    return data_ + voxel * layout_.channels();
  }

 private:
  const Layout& layout_;
  T* data_;
  Int3 edge_, cells_;
};

// Calls visit(n, z, y, x, channels) for every stored voxel in storage order.
template <class T, class Visit>
void each_voxel(const Layout& layout, T* data, Visit visit) {
  const Int3 edge = layout.edge();
  for (int64_t b = 0; b < layout.blocks(); b++) {
    const int64_t n = layout.sample_of(b);
    const Int3 corner = layout.corner_of(b);
    for (int64_t z = 0; z < edge.z; z++)
      for (int64_t y = 0; y < edge.y; y++)
        for (int64_t x = 0; x < edge.x; x++, data += layout.channels())
          visit(n, corner.z + z, corner.y + y, corner.x + x, data);
  }
}

}  // namespace voxelspark
