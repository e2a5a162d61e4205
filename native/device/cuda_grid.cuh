// Where voxels lie in storage, for kernels: the arithmetic of core/tensor.h and core/voxel_access.h on the device.
#pragma once
#include <memory>

#include "core/tensor.h"
#include "device/cuda.cuh"

namespace voxelspark {

struct Voxel {
  int n, z, y, x;
};

struct Extent {
  int z, y, x;
  __host__ __device__ int64_t product() const { return static_cast<int64_t>(z) * y * x; }
};
inline Extent extent(Int3 v) { return {static_cast<int>(v.z), static_cast<int>(v.y), static_cast<int>(v.x)}; }

// The blocks of a feature map. Tables live on the device; null tables mean one block a sample.
struct BlockView {
  const int32_t *block_of, *cell_of, *first_block;
  Extent size, edge, cells;

  __host__ __device__ int64_t block_of_voxel(int64_t voxel) const { return quotient(voxel, edge.product()); }
  __host__ __device__ int sample_of_block(int64_t block) const {
    return cell_of ? cell_of[block] / static_cast<int>(cells.product()) : static_cast<int>(block);
  }
  // First stored voxel of a sample; defined for the number of samples too.
  __host__ __device__ int64_t first_voxel(int sample) const {
    return (first_block ? first_block[sample] : sample) * edge.product();
  }
  __host__ __device__ int sample_of(int64_t voxel) const { return sample_of_block(block_of_voxel(voxel)); }
  // Sample and first voxel of a block.
  __host__ __device__ Voxel corner_of(int64_t block) const {
    if (!cell_of) return {static_cast<int>(block), 0, 0, 0};
    const int x = cell_of[block], y = x / cells.x, z = y / cells.y, n = z / cells.z;
    return {n, (z - n * cells.z) * edge.z, (y - z * cells.y) * edge.y, (x - y * cells.x) * edge.x};
  }
  // Of a stored voxel.
  __host__ __device__ Voxel position(int64_t voxel) const {
    const int64_t block = block_of_voxel(voxel), rest = voxel - block * edge.product();
    const Voxel corner = corner_of(block);
    const int64_t row = quotient(rest, edge.x);
    const int z = static_cast<int>(quotient(row, edge.y));
    return {corner.n, corner.z + z, corner.y + static_cast<int>(row - static_cast<int64_t>(z) * edge.y),
            corner.x + static_cast<int>(rest - row * edge.x)};
  }
  // The cell table's entry: a block, or negative where masked; the voxel must be inside the volume.
  __host__ __device__ int64_t block_at(Voxel v) const {
    if (!block_of) return v.n;
    const int64_t plane = static_cast<int64_t>(v.n) * cells.z + v.z / edge.z;
    return block_of[(plane * cells.y + v.y / edge.y) * cells.x + v.x / edge.x];
  }
  __host__ __device__ bool inside(Voxel v) const {
    return v.z >= 0 && v.y >= 0 && v.x >= 0 && v.z < size.z && v.y < size.y && v.x < size.x;
  }
  // Storage index of a voxel, or -1 where it is outside the volume or masked.
  __host__ __device__ int64_t find(Voxel v) const {
    if (!inside(v)) return -1;
    const int64_t block = block_at(v);
    if (block < 0) return -1;
    const int z = block_of ? v.z % edge.z : v.z, y = block_of ? v.y % edge.y : v.y, x = block_of ? v.x % edge.x : v.x;
    return ((block * edge.z + z) * edge.y + y) * edge.x + x;
  }
};

// Tables of a grid are copied to the device when a kernel first asks for them and freed after the grid is gone. While
// it lives they stay where they are, which captured kernels rely on.
BlockView view_of(const Layout& layout);
BlockView view_of(const std::shared_ptr<const BlockGrid>& grid, Int3 size);  // a null grid: dense
// Copies the tables again, of a grid whose cells changed.
void refresh_tables(const std::shared_ptr<const BlockGrid>& grid);

}  // namespace voxelspark
