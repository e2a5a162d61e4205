// What the kernels on halo tiles share: the tile in shared memory, and how it gets there.
//
// A tile of output voxels and one voxel around it, of 32 source channels, lies in shared memory as 4 planes of 8
// channels, 16 bytes a voxel, x innermost. 8 voxels in a row are then 128 bytes in a row wherever a tap shifts them: a
// matrix load takes them as they lie, without a copy for every tap, and meets no bank twice.
#pragma once
#include "device/cuda_tensor.cuh"
#include "ops/conv3d/cuda_cells.cuh"

namespace voxelspark {

constexpr int kHaloPlanes = kSliceChannels / 8;
constexpr int kHaloEdge = kTileEdge + 2;

// The smallest pitch of planes by which 2 voxels of 4 planes, which 8 threads write, fall into different banks.
constexpr int plane_pitch(int voxels) { return voxels + (2 - voxels % 8 + 8) % 8; }

template <int kDepth>
struct HaloTile {
  static constexpr int kVoxels = (kDepth + 2) * kHaloEdge * kHaloEdge, kPitch = plane_pitch(kVoxels);
  static constexpr int kBytes = kHaloPlanes * kPitch * 16;

  // Of a voxel's 8 channels; the tile's first voxel is (1, 1, 1).
  __host__ __device__ static int offset(int plane, int z, int y, int x) {
    return (plane * kPitch + (z * kHaloEdge + y) * kHaloEdge + x) * 16;
  }
};

constexpr int kNeighbours = 27;

// To be called by the threads of one named barrier: the first voxels of a cell and its neighbours.
__device__ inline void find_neighbours(const CellView& source, Cell c, SharedAddress table, int thread, int barrier,
                                       int threads) {
  named_barrier(barrier, threads);  // nobody reads the last table any more
  if (thread < kNeighbours) {
    const Cell near{c.n, c.z + thread / 9 - 1, c.y + thread / 3 % 3 - 1, c.x + thread % 3 - 1};
    store_shared(table + thread * 4, source.corner(near));
  }
  named_barrier(barrier, threads);
}

// Whether the tile, with its halo, touches a stored cell.
__device__ inline bool sees(const CellView& source, const CellTiles::Tile& tile, int depth) {
  const Extent& edge = source.edge;
  for (int z = -(tile.z == 0); z <= (tile.z + depth >= edge.z); z++)
    for (int y = -(tile.y == 0); y <= (tile.y + kTileEdge >= edge.y); y++)
      for (int x = -(tile.x == 0); x <= (tile.x + kTileEdge >= edge.x); x++)
        if (source.corner({tile.cell.n, tile.cell.z + z, tile.cell.y + y, tile.cell.x + x}) >= 0) return true;
  return false;
}

// Copies the tile and its halo in the background: 4 threads a voxel, a plane each. Masked and outside voxels are zeros.
template <int kDepth, int kThreads>
__device__ void copy_halo(const CellView& source, const CellTiles::Tile& tile, SharedAddress table, const uint16_t* x,
                          int channels, int slice, SharedAddress to, int thread) {
  using Tile = HaloTile<kDepth>;
  const int plane = thread % kHaloPlanes;
#pragma unroll 2
  for (int h = thread / kHaloPlanes; h < Tile::kVoxels; h += kThreads / kHaloPlanes) {
    const int row = h / kHaloEdge, hz = row / kHaloEdge;
    int vz = tile.z + hz - 1, vy = tile.y + row - hz * kHaloEdge - 1, vx = tile.x + h - row * kHaloEdge - 1;
    const int sz = neighbour(vz, source.edge.z), sy = neighbour(vy, source.edge.y), sx = neighbour(vx, source.edge.x);
    const int corner = load_shared(table + (sz * 9 + sy * 3 + sx) * 4);
    const bool valid = corner >= 0;
    const int64_t voxel = valid ? corner + source.offset(vz, vy, vx) : 0;
    copy_async(to + (plane * Tile::kPitch + h) * 16, x + voxel * channels + slice * kSliceChannels + plane * 8, valid);
  }
}

}  // namespace voxelspark
