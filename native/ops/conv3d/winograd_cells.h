// How tensors become Winograd tiles. The work of a call is a list of cells (the visible blocks; whole samples when all
// tensors are dense), each cut into tiles; every tensor, sparse or dense, is seen through these cells by the offsets of
// the 27 cells around each. Runs of tiles then read rows of voxels by pointer: nothing is copied or padded.
#pragma once
#include <vector>

#include "ops/conv3d/maps.h"
#include "ops/conv3d/winograd_simd.h"

namespace voxelspark {

constexpr int64_t kSkew = 16;  // floats that keep the frequencies of a channel off the same cache sets

inline int64_t frequencies_of(int m) { return 4 * (m + 2) * (m + 2); }

struct Cells {
  Int3 edge;                   // voxels of a cell
  Int3 grid;                   // cells of a sample
  std::vector<int64_t> cell;   // (n, z, y, x) index, ascending
  std::vector<int64_t> first;  // sample -> its first entry of `cell`; one more than samples

  // Cells whose voxels `dest` stores, as fine as the grid of either.
  Cells(const Layout& dest, const Layout& source);
  // Their number and edge alone.
  static int64_t count(const Layout& dest, const Layout& source);
  static Int3 edge_of(const Layout& dest, const Layout& source);
};

struct CellView {
  static constexpr int64_t kNone = -1;  // masked, or outside of the volume

  float* data;
  Pending pending;
  int64_t channels, z_stride, y_stride;
  std::vector<int64_t> sample;  // of each entry
  std::vector<int64_t> at;      // [entry][27]: offset of the first voxel of each neighbour; 13 is the cell itself

  CellView(const Tensor& t, const Cells& cells);
  float* voxel(int64_t entry, Int3 local) const {
    return data + at[entry * 27 + 13] + local.z * z_stride + local.y * y_stride + local.x * channels;
  }
};

// Of each part of a source or destination.
using CellViews = std::vector<CellView>;
CellViews views_of(const Maps& maps, const Cells& cells);

// Tiles of 2 x m x m outputs, numbered by cell, z, y, x. They may hang over the end of a cell. Work is listed by place:
// all tiles in their order, or those of them that keep_near() leaves.
struct Tiles {
  int m;
  Int3 edge, count;  // of a cell: voxels, tiles
  std::vector<int64_t> near;
  bool all = true;

  Tiles(Int3 edge, int m);
  int64_t per_cell() const { return count.product(); }
  int64_t entry_of(int64_t tile) const { return tile / per_cell(); }
  Int3 first_voxel(int64_t tile) const;  // inside the cell
  // Leaves the tiles that read a stored voxel of the source seen through the cells.
  void keep_near(const CellView& source, const Cells& cells);
  int64_t at(int64_t place) const { return all ? place : near[place]; }
  // Number of places before a cell.
  int64_t before(int64_t entry) const;
  // Number of tiles from a place on that lie side by side, at most n.
  int run(int64_t place, int n) const;
};

// Consecutive places of one sample that one thread works on. Sizes follow from the tiles alone.
struct Chunk {
  int64_t first;
  int tiles;
};
std::vector<Chunk> chunks_of(const Cells& cells, const Tiles& tiles, int want);

// The input transform of a chunk; `to` says where its frequencies go: each part of the source fills the columns of its
// channels. Missing voxels are read from `zeros`, which has `zeros_for` floats.
void load_tiles(const CellViews& sources, const Tiles& tiles, const Chunk& chunk, const float* zeros, WinogradRun to);
int64_t zeros_for(const Tiles& tiles, int most_tiles, int64_t channels);

}  // namespace voxelspark
