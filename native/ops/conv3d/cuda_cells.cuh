// Feature maps seen through the cells of one grid, that of a mask or, without one, a cell a sample. A sparse map stores
// the voxels of a visible cell together, a dense one as a box of its volume; kernels that work on tiles of a cell and
// read into its 26 neighbours need not know which.
#pragma once
#include "device/cuda_grid.cuh"
#include "ops/conv3d/cuda_tensor_plan.h"

namespace voxelspark {

struct Cell {
  int n, z, y, x;
};

struct CellView {
  const int32_t* block_of;  // null: dense
  Extent cells, edge;
  int plane_pitch, row_pitch;  // voxels in storage between neighbours along z and y

  // The cell's first voxel in storage, or -1 where it is masked or outside the volume.
  __host__ __device__ int corner(Cell c) const {
    if (c.z < 0 || c.y < 0 || c.x < 0 || c.z >= cells.z || c.y >= cells.y || c.x >= cells.x) return -1;
    if (!block_of) {
      const int first_plane = (c.n * cells.z + c.z) * edge.z;
      return first_plane * plane_pitch + c.y * edge.y * row_pitch + c.x * edge.x;
    }
    const int block = block_of[((c.n * cells.z + c.z) * cells.y + c.y) * cells.x + c.x];
    return block < 0 ? -1 : block * edge.z * plane_pitch;
  }
  __host__ __device__ int offset(int z, int y, int x) const { return z * plane_pitch + y * row_pitch + x; }
};

// Tiles of 8 x 8 columns and `depth` planes of the cells that a feature map stores; at a cell's end they stick out.
struct CellTiles {
  const int32_t* cell_of;  // of a block; null: every cell is stored
  Extent cells, edge, in_cell;
  int depth, count;

  struct Tile {
    Cell cell;
    int z, y, x;  // of its first voxel in the cell
  };
  __host__ __device__ Tile at(int tile) const {
    const int per_cell = static_cast<int>(in_cell.product()), stored = tile / per_cell, rest = tile - stored * per_cell;
    const int row = rest / in_cell.x, plane = row / in_cell.y;
    const int c = cell_of ? cell_of[stored] : stored, cy = c / cells.x, cz = cy / cells.y, n = cz / cells.z;
    return {{n, cz - n * cells.z, cy - cz * cells.y, c - cy * cells.x},
            plane * depth,
            (row - plane * in_cell.y) * kTileEdge,
            (rest - row * in_cell.x) * kTileEdge};
  }
};

// Position v along one axis of a cell, from -1 to one voxel beyond a tile: the neighbour it lies in (0, 1, 2), and v
// becomes the position there.
__host__ __device__ inline int neighbour(int& v, int edge) {
  const int side = v < 0 ? 0 : v < edge ? 1 : 2;
  v -= (side - 1) * edge;
  return side;
}

using GridPointer = std::shared_ptr<const BlockGrid>;
CellView cell_view(const Layout& layout, const GridPointer& grid);
CellTiles cell_tiles(const Layout& layout, const GridPointer& grid, int depth);

}  // namespace voxelspark
