// Which voxel of a dense tensor changes places with which.
#pragma once
#include "device/cuda_grid.cuh"

namespace voxelspark {

struct MirrorView {
  BlockView blocks;  // dense
  bool z, y, x;      // reversed

  __host__ __device__ int64_t partner(int64_t voxel) const {
    const Voxel v = blocks.position(voxel);
    const Extent last = {blocks.size.z - 1, blocks.size.y - 1, blocks.size.x - 1};
    return blocks.find({v.n, z ? last.z - v.z : v.z, y ? last.y - v.y : v.y, x ? last.x - v.x : v.x});
  }
};

}  // namespace voxelspark
