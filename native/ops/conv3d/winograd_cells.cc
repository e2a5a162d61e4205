#include "ops/conv3d/winograd_cells.h"

#include <algorithm>

namespace voxelspark {

static Int3 grid_of(const Layout& dest, const Layout& source) {
  const BlockGrid* pattern = dest.grid ? dest.grid.get() : source.grid.get();
  return pattern ? pattern->cells : Int3{1, 1, 1};
}

int64_t Cells::count(const Layout& dest, const Layout& source) {
  return dest.grid ? dest.blocks() : dest.shape.samples() * grid_of(dest, source).product();
}

Int3 Cells::edge_of(const Layout& dest, const Layout& source) { return dest.shape.size() / grid_of(dest, source); }

Cells::Cells(const Layout& dest, const Layout& source) : edge(edge_of(dest, source)), grid(grid_of(dest, source)) {
  const int64_t samples = dest.shape.samples(), per_sample = grid.product();
  first.push_back(0);
  for (int64_t n = 0; n < samples; n++) {
    for (int64_t i = n * per_sample; i < (n + 1) * per_sample; i++)
      if (!dest.grid || dest.grid->block_of[i] >= 0) cell.push_back(i);
    first.push_back(static_cast<int64_t>(cell.size()));
  }
}

CellView::CellView(const Tensor& t, const Cells& cells)
    : data(t.f32()), pending(t.pending), channels(t.layout.channels()) {
  const BlockGrid* own = t.layout.grid.get();
  const Int3 size = t.layout.shape.size(), stored = t.layout.edge(), g = cells.grid;
  y_stride = stored.x * channels;
  z_stride = stored.y * y_stride;
  const int64_t per_sample = g.product();
  at.reserve(cells.cell.size() * 27);
  sample.reserve(cells.cell.size());
  for (const int64_t cell : cells.cell) {
    const int64_t n = cell / per_sample, i = cell % per_sample;
    sample.push_back(n);
    const Int3 c{i / (g.y * g.x), i / g.x % g.y, i % g.x};
    for (int64_t k = 0; k < 27; k++) {
      const Int3 p = c + Int3{k / 9 - 1, k / 3 % 3 - 1, k % 3 - 1};
      const bool inside = p.z >= 0 && p.y >= 0 && p.x >= 0 && p.z < g.z && p.y < g.y && p.x < g.x;
      int64_t offset = kNone;
      if (inside && own) {
        const int32_t block = own->block_of[((n * g.z + p.z) * g.y + p.y) * g.x + p.x];
        if (block >= 0) offset = block * stored.product() * channels;
      } else if (inside) {
        const Int3 corner = p * cells.edge;
        offset = n * size.product() * channels + corner.z * z_stride + corner.y * y_stride + corner.x * channels;
      }
      at.push_back(offset);
    }
  }
}

CellViews views_of(const Maps& maps, const Cells& cells) {
  CellViews views;
  for (const Tensor& part : maps.parts) views.emplace_back(part, cells);
  return views;
}

Tiles::Tiles(Int3 edge, int m) : m(m), edge(edge), count((edge + Int3{1, m - 1, m - 1}) / Int3{2, m, m}) {}

Int3 Tiles::first_voxel(int64_t tile) const {
  const int64_t i = tile % per_cell();
  return Int3{i / (count.y * count.x), i / count.x % count.y, i % count.x} * Int3{2, m, m};
}

int Tiles::run(int64_t place, int n) const {
  const int most = static_cast<int>(std::min<int64_t>(n, count.x - at(place) % count.x));
  int length = all ? most : 1;
  while (length < most && at(place + length) == at(place) + length) length++;
  return length;
}

int64_t Tiles::before(int64_t entry) const {
  const int64_t tile = entry * per_cell();
  return all ? tile : std::lower_bound(near.begin(), near.end(), tile) - near.begin();
}

// Of the voxels from i - 1 to i + length, does one lie in the cell before, in this one, in the one behind?
static void touched(int64_t i, int64_t length, int64_t edge, bool cells[3]) {
  cells[0] = i == 0;
  cells[1] = true;
  cells[2] = i + length >= edge;
}

void Tiles::keep_near(const CellView& source, const Cells& cells) {
  all = false;
  near.clear();
  for (int64_t entry = 0; entry < static_cast<int64_t>(cells.cell.size()); entry++) {
    const int64_t* at = &source.at[entry * 27];
    for (int64_t tile = entry * per_cell(); tile < (entry + 1) * per_cell(); tile++) {
      const Int3 voxel = first_voxel(tile);
      bool z[3], y[3], x[3], sees = at[13] != CellView::kNone;
      touched(voxel.z, 2, edge.z, z);
      touched(voxel.y, m, edge.y, y);
      touched(voxel.x, m, edge.x, x);
      for (int64_t k = 0; k < 27 && !sees; k++) sees = z[k / 9] && y[k / 3 % 3] && x[k % 3] && at[k] != CellView::kNone;
      if (sees) near.push_back(tile);
    }
  }
}

std::vector<Chunk> chunks_of(const Cells& cells, const Tiles& tiles, int want) {
  std::vector<Chunk> chunks;
  for (size_t n = 0; n + 1 < cells.first.size(); n++) {
    const int64_t begin = tiles.before(cells.first[n]), total = tiles.before(cells.first[n + 1]) - begin;
    const int64_t parts = (total + want - 1) / want;
    for (int64_t i = 0; i < parts; i++) {
      const int64_t a = total * i / parts, b = total * (i + 1) / parts;
      chunks.push_back({begin + a, static_cast<int>(b - a)});
    }
  }
  return chunks;
}

// Which of the three cells along an axis holds local coordinate i, and where in it. A tile that hangs over its cell
// asks for voxels beyond the first of the next cell: they only reach outputs that are not kept, and read as missing.
struct Place {
  int64_t cell, at;
  bool wanted;
};
static Place place_of(int64_t i, int64_t edge) {
  if (i < 0) return {0, edge + i, true};
  if (i < edge) return {1, i, true};
  return {2, i - edge, i == edge};
}

// Where the rows under a run of tiles begin.
static void find_rows(const CellView& source, const Tiles& tiles, int64_t tile, const float* zeros, WinogradRun& run) {
  const int64_t* at = &source.at[tiles.entry_of(tile) * 27];
  const Int3 voxel = tiles.first_voxel(tile), edge = tiles.edge;
  const int64_t end = std::min<int64_t>(voxel.x + static_cast<int64_t>(tiles.m) * run.tiles, edge.x);
  const Place columns[3] = {place_of(voxel.x - 1, edge.x), place_of(voxel.x, edge.x), place_of(end, edge.x)};
  run.channels = source.channels;
  run.last = end - voxel.x + 1;
  run.affine = source.pending.of(source.sample[tiles.entry_of(tile)]);
  run.slope = source.pending.slope;
  run.live[0] = run.live[1] = run.live[2] = 0;
  for (int64_t z = 0, row = 0; z < 4; z++) {
    const Place pz = place_of(voxel.z - 1 + z, edge.z);
    for (int64_t y = 0; y < tiles.m + 2; y++, row++) {
      const Place py = place_of(voxel.y - 1 + y, edge.y);
      for (int part = 0; part < 3; part++) {
        const Place& px = columns[part];
        const int64_t offset = at[pz.cell * 9 + py.cell * 3 + px.cell];
        const bool live = offset != CellView::kNone && pz.wanted && py.wanted;
        run.at[part][row] =
            live ? source.data + offset + pz.at * source.z_stride + py.at * source.y_stride + px.at * source.channels
                 : zeros;
        run.live[part] |= uint32_t{live} << row;
      }
    }
  }
}

void load_tiles(const CellViews& sources, const Tiles& tiles, const Chunk& chunk, const float* zeros, WinogradRun to) {
  const auto transform = simd_winograd_input();
  float* v = to.v;
  const int lanes = simd_winograd_shape()().lanes;
  for (const CellView& source : sources) {
    for (int t = 0; t < chunk.tiles; t += to.tiles) {
      to.tiles = tiles.run(chunk.first + t, chunk.tiles - t);
      to.v = v + t * lanes;
      find_rows(source, tiles, tiles.at(chunk.first + t), zeros, to);
      transform(tiles.m, to);
    }
    v += source.channels / lanes * to.block_stride;
  }
}

int64_t zeros_for(const Tiles& tiles, int most_tiles, int64_t channels) {
  return tiles.m * std::min<int64_t>(most_tiles, tiles.count.x) * channels;
}

}  // namespace voxelspark
