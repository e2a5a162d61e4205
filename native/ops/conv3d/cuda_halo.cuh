// What the kernels on halo tiles share: the tile in shared memory, and how it gets there.
//
// A tile of output voxels and one voxel around it, of 32 source channels, lies in shared memory as 4 planes of 8
// channels, 16 bytes a voxel, x innermost. 8 voxels in a row are then 128 bytes in a row wherever a tap shifts them: a
// matrix load takes them as they lie, without a copy for every tap, and meets no bank twice.
#pragma once
#include "device/cuda_tensor.cuh"
#include "ops/conv3d/cuda_cells.cuh"
#include "ops/conv3d/cuda_source.cuh"

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

// Stored voxel of voxel h of the tile with its halo, or -1 where it is masked or outside.
template <int kDepth>
__device__ int halo_voxel(const CellView& source, const CellTiles::Tile& tile, SharedAddress table, int h) {
  const int row = h / kHaloEdge, hz = row / kHaloEdge;
  int vz = tile.z + hz - 1, vy = tile.y + row - hz * kHaloEdge - 1, vx = tile.x + h - row * kHaloEdge - 1;
  const int sz = neighbour(vz, source.edge.z), sy = neighbour(vy, source.edge.y), sx = neighbour(vx, source.edge.x);
  const int corner = load_shared(table + (sz * 9 + sy * 3 + sx) * 4);
  return corner < 0 ? -1 : corner + source.offset(vz, vy, vx);
}

// Copies the tile and its halo in the background: 4 threads a voxel, a plane each. Masked and outside voxels are zeros.
template <int kDepth, int kThreads>
__device__ void copy_halo(const CellView& source, const CellTiles::Tile& tile, SharedAddress table,
                          const ChannelSource<uint16_t>& x, int slice, SharedAddress to, int thread) {
  using Tile = HaloTile<kDepth>;
  const int plane = thread % kHaloPlanes;
  const ChannelRun<const uint16_t> run = x.from(slice * kSliceChannels + plane * 8);
#pragma unroll 2
  for (int h = thread / kHaloPlanes; h < Tile::kVoxels; h += kThreads / kHaloPlanes) {
    const int voxel = halo_voxel<kDepth>(source, tile, table, h);
    copy_async(to + (plane * Tile::kPitch + h) * 16, run.of(voxel < 0 ? 0 : voxel), voxel >= 0);
  }
}

// Rows of 4 planes that pass through registers together, where a normalisation is pending.
constexpr int kSettledBatch = 4;

// Settles voxels of 8 channels and stores them at `to`, 16 bytes a voxel: turns [begin, end) of a thread, turn i being
// that of voxel first + i * step; find(voxel) gives it in storage, or -1: zero then, after the normalisation.
template <class T, class Find>
__device__ void settle_voxels(const ChannelRun<const uint16_t>& run, const ChannelNorm<8>& norm, SharedAddress to,
                              int first, int step, int voxels, int begin, int end, const Find& find) {
#pragma unroll 1
  for (int turn = begin; turn < end; turn += kSettledBatch) {
    Vector16 held[kSettledBatch];
    bool valid[kSettledBatch];
#pragma unroll
    for (int i = 0; i < kSettledBatch; i++) {
      const int v = first + (turn + i) * step, from = v < voxels ? find(v) : -1;
      valid[i] = from >= 0;
      held[i] = {};
      if (valid[i]) held[i] = load_global(run.of(from));
    }
#pragma unroll
    for (int i = 0; i < kSettledBatch; i++) {
      const int v = first + (turn + i) * step;
      if (v < voxels) store_shared(to + v * 16, valid[i] ? settled<T>(held[i], norm) : held[i]);
    }
  }
}

// Turns of a thread of so many, 4 threads a voxel.
__host__ __device__ constexpr int settled_turns(int voxels, int threads) {
  const int turns = (voxels * kHaloPlanes + threads - 1) / threads;
  return (turns + kSettledBatch - 1) / kSettledBatch * kSettledBatch;
}

// As copy_halo, of turns [begin, end), through registers.
template <class T, int kDepth, int kThreads>
__device__ void settle_halo(const CellView& source, const CellTiles::Tile& tile, SharedAddress table,
                            const ChannelSource<uint16_t>& x, int slice, SharedAddress to, int thread, int begin,
                            int end) {
  using Tile = HaloTile<kDepth>;
  const int plane = thread % kHaloPlanes, channel = slice * kSliceChannels + plane * 8;
  ChannelNorm<8> norm;
  norm.read(x.norm, tile.cell.n, channel);
  settle_voxels<T>(x.from(channel), norm, to + plane * Tile::kPitch * 16, thread / kHaloPlanes, kThreads / kHaloPlanes,
                   Tile::kVoxels, begin, end, [&](int h) { return halo_voxel<kDepth>(source, tile, table, h); });
}

}  // namespace voxelspark
