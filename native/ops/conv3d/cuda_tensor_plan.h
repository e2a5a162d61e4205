// How the tensor-core kernels of convolution share out work; from shapes alone, so that results do not depend on the
// device. Both the addon, which reserves the workspace, and the kernels ask.
#pragma once
#include <algorithm>

#include "ops/conv3d/conv3d.h"

namespace voxelspark {

constexpr int kSliceChannels = 32;  // of the source that one step of a tensor-core kernel takes
constexpr int kTensorRows = 128;    // of the product that a thread block of the tensor-core gather GEMM computes

constexpr int kTileEdge = 8;   // along y and x of the tiles of voxels that the halo kernels compute
constexpr int kTileDepth = 4;  // along z

// How the gather GEMM on tensor cores shares out a convolution, or its adjoint.
struct TensorGemmPlan {
  bool possible;
  int columns, column_tiles;  // of destination channels; columns of a tile
  int taps, slices;           // of the weights
  int splits;                 // of the sum, added in order
  int64_t rows, classes;      // of destinations; rows of a class
  int64_t packed_bytes, partial_bytes;

  // By products of warps, and by products of warpgroups, which take fewer shapes.
  static TensorGemmPlan of(const ConvGeometry& g, bool adjoint, const Layout& source, const Layout& dest);
  static TensorGemmPlan of_groups(const ConvGeometry& g, bool adjoint, const Layout& source, const Layout& dest);
  int64_t bytes() const { return packed_bytes + partial_bytes; }
  // Pieces of work: tiles of rows by tiles of columns by classes by splits.
  int64_t items() const { return (rows + kTensorRows - 1) / kTensorRows * column_tiles * classes * splits; }
};

constexpr int64_t kResidentBlocks = 132;  // thread blocks that a large device holds, of those that fill a processor
constexpr int64_t kMostVoxels = int64_t{1} << 31;  // voxels are 32-bit numbers in shared memory

inline int64_t tiles_of(int64_t n, int64_t tile) { return (n + tile - 1) / tile; }
inline int64_t whole_lines(int64_t bytes) { return tiles_of(bytes, 256) * 256; }

// The widest tile that does not compute many columns for nothing.
inline int tensor_columns(int64_t channels) {
  if (channels <= 32) return 32;
  return tiles_of(channels, 128) * 128 * 10 > tiles_of(channels, 64) * 64 * 11 ? 64 : 128;
}

// The widest of a warpgroup's tiles that does not compute many columns for nothing.
inline int group_columns(int64_t channels) {
  const auto computed = [=](int64_t columns) { return tiles_of(channels, columns) * columns; };
  const int64_t least = std::min({computed(64), computed(128), computed(160), computed(256)});
  for (const int columns : {256, 160, 128})
    if (computed(columns) * 10 <= least * 11) return columns;
  return 64;
}

// Slices of 32 source channels in a step of the sum of warpgroups.
inline int group_slices(int64_t source_channels) { return source_channels > kSliceChannels ? 2 : 1; }

// Into how many parts the sums of so many items are split, at most: so that the last of several rounds of thread blocks
// leaves few processors idle. Fewer parts, of which less is written, unless more save a tenth.
inline int gather_splits(int64_t items, int64_t most) {
  constexpr int64_t kMostRounds = 3;
  const auto rounds = [=](int64_t splits) { return tiles_of(items * splits, kResidentBlocks); };
  int64_t best = 1;
  for (int64_t s = 2; s <= most && rounds(s) <= kMostRounds; s++)
    if (rounds(s) * best * 10 < rounds(best) * s * 9) best = s;
  return static_cast<int>(best);
}

// Steps of so many slices, shared out to thread blocks.
inline TensorGemmPlan gather_plan(const ConvGeometry& g, bool adjoint, const Layout& source, const Layout& dest,
                                  int columns, int step_slices) {
  constexpr int64_t kLeastSlices = 8, kMostSplits = 32, kMostBlocks = 65535;
  const int64_t k = dest.channels(), classes = adjoint ? g.stride.product() : 1;
  const Int3 edge = dest.edge(), lattice = adjoint ? (edge + g.stride - Int3{1, 1, 1}) / g.stride : edge;
  TensorGemmPlan p{};
  p.columns = columns;
  p.column_tiles = static_cast<int>(tiles_of(k, p.columns));
  p.taps = static_cast<int>(g.kernel.product());
  p.slices = static_cast<int>(tiles_of(source.channels(), kSliceChannels * step_slices)) * step_slices;
  p.rows = dest.blocks() * lattice.product();
  p.classes = classes;
  const int64_t blocks = std::max<int64_t>(1, tiles_of(p.rows, kTensorRows) * p.column_tiles * classes);
  const int64_t slices = tiles_of(static_cast<int64_t>(p.taps) * p.slices, classes);
  const int64_t most = std::min(kMostSplits, std::max<int64_t>(1, slices / kLeastSlices));
  p.splits = gather_splits(blocks, most);
  p.packed_bytes = whole_lines(int64_t{2} * p.column_tiles * p.columns * p.taps * p.slices * kSliceChannels);
  p.partial_bytes = p.splits > 1 ? whole_lines(dest.voxels() * k * p.splits * static_cast<int64_t>(sizeof(float))) : 0;
  p.possible = source.channels() % 8 == 0 && source.voxels() < kMostVoxels && dest.voxels() < kMostVoxels &&
               classes * p.splits <= kMostBlocks && p.column_tiles <= kMostBlocks && p.items() < kMostVoxels;
  return p;
}

inline TensorGemmPlan TensorGemmPlan::of(const ConvGeometry& g, bool adjoint, const Layout& source,
                                         const Layout& dest) {
  return gather_plan(g, adjoint, source, dest, tensor_columns(dest.channels()), 1);
}

// With fewer channels most of a tile would be computed for nothing.
inline TensorGemmPlan TensorGemmPlan::of_groups(const ConvGeometry& g, bool adjoint, const Layout& source,
                                                const Layout& dest) {
  const int slices = group_slices(source.channels());
  const int columns = slices == 1 ? 64 : group_columns(dest.channels());
  TensorGemmPlan p = gather_plan(g, adjoint, source, dest, columns, slices);
  p.possible = p.possible && source.channels() % kSliceChannels == 0 && dest.channels() > 32;
  return p;
}

// How the kernel on halo tiles does so; it takes what the network has most of, 3 x 3 x 3 kernels of stride 1.
struct HaloPlan {
  bool possible;
  int columns, column_tiles, slices;
  int64_t packed_bytes;

  static HaloPlan of(const ConvGeometry& g, const Layout& source, const Layout& dest);
};

// Whether a kernel on halo tiles can compute a convolution between maps of such voxels: neighbours of a tile reach one
// cell far.
inline bool reaches_halo(const ConvGeometry& g, const Layout& source, const Layout& dest) {
  const Int3 one{1, 1, 1}, three{3, 3, 3};
  if (g.kernel != three || g.stride != one || g.padding != one) return false;
  const auto grid = dest.grid ? dest.grid : source.grid;
  if (grid) {
    const Int3 edge = dest.shape.size() / grid->cells;
    if (std::min({edge.z, edge.y, edge.x}) < kTileEdge) return false;
  }
  const auto few = [](const Layout& l) { return l.shape.samples() * l.shape.size().product() < kMostVoxels; };
  return few(source) && few(dest);
}

inline bool fits_halo_tiles(const ConvGeometry& g, const Layout& source, const Layout& dest) {
  return reaches_halo(g, source, dest) && source.channels() % kSliceChannels == 0 &&
         dest.channels() % kSliceChannels == 0;
}

inline HaloPlan HaloPlan::of(const ConvGeometry& g, const Layout& source, const Layout& dest) {
  HaloPlan p{};
  p.possible = fits_halo_tiles(g, source, dest);
  p.columns = dest.channels() % 64 ? 32 : 64;
  p.column_tiles = static_cast<int>(dest.channels() / p.columns);
  p.slices = static_cast<int>(source.channels() / kSliceChannels);
  p.packed_bytes = whole_lines(int64_t{2} * dest.channels() * 27 * source.channels());
  return p;
}

// Tiles of a depth, of the cells that a feature map stores.
inline int64_t count_tiles(const Layout& layout, const std::shared_ptr<const BlockGrid>& grid, int64_t depth) {
  const Int3 cells = grid ? grid->cells : Int3{1, 1, 1}, edge = layout.shape.size() / cells;
  const int64_t stored = layout.grid ? layout.blocks() : layout.shape.samples() * cells.product();
  return stored * tiles_of(edge.z, depth) * tiles_of(edge.y, kTileEdge) * tiles_of(edge.x, kTileEdge);
}

// The weight gradient on halo tiles: 32 x 32 channels and all taps a thread block, which stays for many tiles. Rows of
// thread blocks share the tiles; their sums are added in order.
struct HaloWeightPlan {
  bool possible;
  int source_tiles, dest_tiles;  // of 32 channels of x and of gy
  int64_t rows;

  static constexpr int kDepth = 2;       // of a tile
  static constexpr int kLeastTiles = 4;  // of a thread block: fewer are not worth the sums that they write
  static HaloWeightPlan of(const ConvGeometry& g, const Layout& x, const Layout& gy) {
    HaloWeightPlan p{};
    p.possible = fits_halo_tiles(g, x, gy);
    p.source_tiles = static_cast<int>(x.channels() / kSliceChannels);
    p.dest_tiles = static_cast<int>(gy.channels() / kSliceChannels);
    const int64_t columns = std::max<int64_t>(1, static_cast<int64_t>(p.source_tiles) * p.dest_tiles);
    const int64_t tiles = count_tiles(gy, gy.grid ? gy.grid : x.grid, kDepth);
    // No more than are resident at once: a few that come after them would take as long as all others.
    p.rows = std::max<int64_t>(1, std::min(kResidentBlocks / columns, tiles_of(tiles, kLeastTiles)));
    return p;
  }
  int64_t partial_bytes() const { return rows * source_tiles * dest_tiles * 27 * 32 * 32 * int64_t{4}; }
};

// From too few channels for a step of tensor cores, on tiles of y: kTileDepth planes by 32 channels. Of the weight
// gradient so many thread blocks, two a processor, share the tiles.
struct StemPlan {
  bool possible;
  int64_t blocks, partial_bytes;

  static constexpr int kMostChannels = 4, kLeastTiles = 4;
  static StemPlan of(const ConvGeometry& g, const Layout& x, const Layout& y) {
    StemPlan p{};
    p.possible = x.channels() <= kMostChannels && y.channels() % 32 == 0 && reaches_halo(g, x, y);
    const int64_t tiles = count_tiles(y, y.grid ? y.grid : x.grid, kTileDepth);
    p.blocks = std::max<int64_t>(1, std::min(2 * kResidentBlocks, tiles_of(tiles, kLeastTiles)));
    p.partial_bytes = p.blocks * y.channels() * 27 * x.channels() * int64_t{4};
    return p;
  }
};

// The weight gradient by gathered rows: 64 x 64 channels and one tap a thread block, splits of the voxels of gy.
struct TensorWeightPlan {
  bool possible;
  int source_tiles, dest_tiles;
  int64_t taps, splits, voxels;  // voxels of a split
  int64_t partial_bytes;

  static constexpr int kTile = 64, kStep = 64;  // channels; voxels of a step of the sum
  static TensorWeightPlan of(const ConvGeometry& g, const Layout& x, const Layout& gy) {
    constexpr int64_t kLeastVoxels = 8 * kStep;
    TensorWeightPlan p{};
    p.source_tiles = static_cast<int>(tiles_of(x.channels(), kTile));
    p.dest_tiles = static_cast<int>(tiles_of(gy.channels(), kTile));
    p.taps = g.kernel.product();
    const int64_t all = gy.voxels(), blocks = p.source_tiles * p.dest_tiles * p.taps;
    const int64_t most = std::max<int64_t>(1, all / kLeastVoxels);
    const int64_t wanted = std::min(most, std::max<int64_t>(1, 4 * kResidentBlocks / blocks));
    p.voxels = std::max<int64_t>(kStep, tiles_of(tiles_of(all, wanted), kStep) * kStep);
    p.splits = std::max<int64_t>(1, tiles_of(all, p.voxels));
    p.partial_bytes = p.splits > 1 ? p.splits * gy.channels() * p.taps * x.channels() * int64_t{4} : 0;
    p.possible = x.channels() % 8 == 0 && gy.channels() % 8 == 0 && x.voxels() < kMostVoxels && all < kMostVoxels &&
                 p.taps < 65536 && p.splits < 65536;
    return p;
  }
};

}  // namespace voxelspark
