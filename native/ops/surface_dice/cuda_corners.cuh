// Where voxels meet: the corners of a volume's voxels, one more along each axis than there are voxels.
#pragma once
#include "device/cuda_grid.cuh"

namespace voxelspark {

struct Corners {
  Extent size;  // of the volume in voxels

  __host__ __device__ int64_t count() const { return Extent{size.z + 1, size.y + 1, size.x + 1}.product(); }
  __host__ __device__ Voxel at(int64_t i) const {
    const int64_t row = quotient(i, size.x + 1), z = quotient(row, size.y + 1);
    return {0, static_cast<int>(z), static_cast<int>(row - z * (size.y + 1)), static_cast<int>(i - row * (size.x + 1))};
  }
  // Negative where it is none.
  __host__ __device__ int64_t find(int z, int y, int x) const {
    if (z < 0 || y < 0 || x < 0 || z > size.z || y > size.y || x > size.x) return -1;
    return (static_cast<int64_t>(z) * (size.y + 1) + y) * (size.x + 1) + x;
  }
  // Voxel k = 4 z + 2 y + x of the eight around a corner; negative outside of the volume.
  __host__ __device__ int64_t voxel(Voxel corner, int k) const {
    const int z = corner.z - 1 + (k >> 2), y = corner.y - 1 + (k >> 1 & 1), x = corner.x - 1 + (k & 1);
    if (z < 0 || y < 0 || x < 0 || z >= size.z || y >= size.y || x >= size.x) return -1;
    return (static_cast<int64_t>(z) * size.y + y) * size.x + x;
  }
};

}  // namespace voxelspark
