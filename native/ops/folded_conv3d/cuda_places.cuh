// The index arithmetic of token folding: the box of voxels of each kind of place, and the tiles of the output that see
// a visible block.
#pragma once
#include "device/cuda_grid.cuh"
#include "ops/folded_conv3d/folded_conv3d.h"

namespace voxelspark {

__host__ __device__ inline int64_t place_of(Voxel v, Extent size) {
  return place_on(v.z, size.z) * 9 + place_on(v.y, size.y) * 3 + place_on(v.x, size.x);
}

// The voxels of a dense volume that are at one kind of place; all samples.
struct PlaceBox {
  Extent size, first, extent;

  __host__ __device__ static int first_on(int64_t place, int n) { return place == 0 ? 0 : place == 1 ? 1 : n - 1; }
  __host__ __device__ static int count_on(int64_t place, int n) {
    if (place == 1) return n > 2 ? n - 2 : 0;
    return place == 0 || n > 1 ? 1 : 0;
  }
  __host__ __device__ PlaceBox(int64_t place, Extent size)
      : size(size),
        first{first_on(place / 9, size.z), first_on(place / 3 % 3, size.y), first_on(place % 3, size.x)},
        extent{count_on(place / 9, size.z), count_on(place / 3 % 3, size.y), count_on(place % 3, size.x)} {}
  // Voxel i of the box, samples outermost, as a voxel of the tensor.
  __host__ __device__ int64_t voxel(int64_t i) const {
    const int64_t row = quotient(i, extent.x), plane = quotient(row, extent.y), n = quotient(plane, extent.z);
    const int64_t z = n * size.z + first.z + (plane - n * extent.z), y = first.y + (row - plane * extent.y);
    return (z * size.y + y) * size.x + first.x + (i - row * extent.x);
  }
};

// Cubes of voxels of a volume, ragged at its end.
struct NearTiles {
  static constexpr int kEdge = 4, kVoxels = kEdge * kEdge * kEdge;
  BlockView source;  // sparse
  Extent kernel;

  __host__ __device__ static int tiles_on(int n) { return (n + kEdge - 1) / kEdge; }
  __host__ __device__ int64_t of_sample() const {
    return Extent{tiles_on(source.size.z), tiles_on(source.size.y), tiles_on(source.size.x)}.product();
  }
  __host__ __device__ Voxel corner(int64_t tile) const {
    const int64_t row = quotient(tile, tiles_on(source.size.x)), plane = quotient(row, tiles_on(source.size.y));
    const int64_t n = quotient(plane, tiles_on(source.size.z));
    return {static_cast<int>(n), static_cast<int>(plane - n * tiles_on(source.size.z)) * kEdge,
            static_cast<int>(row - plane * tiles_on(source.size.y)) * kEdge,
            static_cast<int>(tile - row * tiles_on(source.size.x)) * kEdge};
  }
  // Of a tile; may lie beyond the volume's end.
  __host__ __device__ static Voxel voxel(Voxel corner, int i) {
    return {corner.n, corner.z + i / (kEdge * kEdge), corner.y + i / kEdge % kEdge, corner.x + i % kEdge};
  }
  // Whether some voxel of the tile reads a visible one.
  __host__ __device__ bool near(Voxel corner) const {
    const Voxel low = cell({corner.n, corner.z - kernel.z / 2, corner.y - kernel.y / 2, corner.x - kernel.x / 2});
    const Voxel high = cell({corner.n, corner.z + kEdge - 1 + kernel.z / 2, corner.y + kEdge - 1 + kernel.y / 2,
                             corner.x + kEdge - 1 + kernel.x / 2});
    for (int z = low.z; z <= high.z; z++)
      for (int y = low.y; y <= high.y; y++)
        for (int x = low.x; x <= high.x; x++) {
          const int64_t plane = static_cast<int64_t>(corner.n) * source.cells.z + z;
          if (source.block_of[(plane * source.cells.y + y) * source.cells.x + x] >= 0) return true;
        }
    return false;
  }

 private:
  __host__ __device__ static int cell_on(int at, int size, int edge) {
    return (at < 0 ? 0 : at < size ? at : size - 1) / edge;
  }
  __host__ __device__ Voxel cell(Voxel v) const {
    return {v.n, cell_on(v.z, source.size.z, source.edge.z), cell_on(v.y, source.size.y, source.edge.y),
            cell_on(v.x, source.size.x, source.edge.x)};
  }
};

}  // namespace voxelspark
