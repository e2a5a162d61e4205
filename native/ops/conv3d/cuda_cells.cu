#include "ops/conv3d/cuda_cells.cuh"

namespace voxelspark {

CellView cell_view(const Layout& layout, const GridPointer& grid) {
  const Int3 cells = grid ? grid->cells : Int3{1, 1, 1}, size = layout.shape.size();
  const Extent stored = extent(layout.edge());
  const int32_t* block_of = layout.grid ? view_of(layout).block_of : nullptr;
  return {block_of, extent(cells), extent(size / cells), stored.y * stored.x, stored.x};
}

CellTiles cell_tiles(const Layout& layout, const GridPointer& grid, int depth) {
  const Int3 cells = grid ? grid->cells : Int3{1, 1, 1}, edge = layout.shape.size() / cells;
  const Int3 in_cell{tiles_of(edge.z, depth), tiles_of(edge.y, kTileEdge), tiles_of(edge.x, kTileEdge)};
  const int32_t* cell_of = layout.grid ? view_of(layout).cell_of : nullptr;
  return {cell_of,         extent(cells), extent(edge),
          extent(in_cell), depth,         static_cast<int>(count_tiles(layout, grid, depth))};
}

}  // namespace voxelspark
