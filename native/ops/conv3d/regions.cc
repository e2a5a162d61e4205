#include "ops/conv3d/regions.h"

#include <algorithm>
#include <cmath>

#include "ops/conv3d/simd.h"

namespace voxelspark {

static Int3 max_of(Int3 a, Int3 b) { return {std::max(a.z, b.z), std::max(a.y, b.y), std::max(a.x, b.x)}; }
static Int3 min_of(Int3 a, Int3 b) { return {std::min(a.z, b.z), std::min(a.y, b.y), std::min(a.x, b.x)}; }
static int64_t pieces(int64_t length, int64_t most) { return (length + most - 1) / most; }

// Boxes as near to cubes as rows of kRow cells allow: a halo is read again for every box that it belongs to.
static Int3 parts_of(Int3 cells, int64_t most) {
  constexpr int64_t kRow = 32;
  Int3 parts{1, 1, pieces(cells.x, std::min(kRow, most))};
  const int64_t square = std::max<int64_t>(1, most / pieces(cells.x, parts.x));
  parts.y = pieces(cells.y, static_cast<int64_t>(std::sqrt(static_cast<double>(square))));
  parts.z = pieces(cells.z, std::max<int64_t>(1, square / pieces(cells.y, parts.y)));
  return parts;
}

Items cut(const Layout& layout, Int3 step, int64_t most) {
  Items items;
  const Int3 edge = layout.edge(), cells = (edge + step - Int3{1, 1, 1}) / step, parts = parts_of(cells, most);
  int64_t gathered = most;  // the first region opens an item
  for (int64_t b = 0; b < layout.blocks(); b++) {
    const Int3 corner = layout.corner_of(b);
    Int3 i;
    for (i.z = 0; i.z < parts.z; i.z++)
      for (i.y = 0; i.y < parts.y; i.y++)
        for (i.x = 0; i.x < parts.x; i.x++) {
          const Int3 from = i * cells / parts, to = (i + Int3{1, 1, 1}) * cells / parts;
          const int64_t size = (to - from).product();
          if (gathered + size > most) {
            items.first.push_back(static_cast<int64_t>(items.regions.size()));
            gathered = 0;
          }
          gathered += size;
          items.regions.push_back({b, layout.sample_of(b), corner + from * step, corner + min_of(to * step, edge)});
          items.largest = max_of(items.largest, to - from);
          items.most_cells = std::max(items.most_cells, gathered);
        }
  }
  items.first.push_back(static_cast<int64_t>(items.regions.size()));
  for (int64_t i = 0; i < items.size(); i++)
    items.most_regions = std::max(items.most_regions, items.first[i + 1] - items.first[i]);
  return items;
}

static bool sees(const Region& r, const Layout& source, const Lattice& l) {
  const BlockGrid& grid = *source.grid;
  const Int3 edge = source.edge(), one{1, 1, 1}, low = r.first * l.jump + l.low(),
             high = (r.end - one) * l.jump + l.low() + l.span();
  const Int3 first = max_of(low, {0, 0, 0}) / edge, last = min_of(high, source.shape.size() - one) / edge;
  for (int64_t z = first.z; z <= last.z; z++)
    for (int64_t y = first.y; y <= last.y; y++)
      for (int64_t x = first.x; x <= last.x; x++)
        if (grid.block_of[((r.sample * grid.cells.z + z) * grid.cells.y + y) * grid.cells.x + x] >= 0) return true;
  return false;
}

void keep_near(Items& items, const Layout& source, const Lattice& lattice) {
  Items near;
  near.largest = items.largest;
  near.most_cells = items.most_cells;
  near.most_regions = items.most_regions;
  near.first.push_back(0);
  for (int64_t i = 0; i < items.size(); i++) {
    for (int64_t r = items.first[i]; r < items.first[i + 1]; r++)
      if (sees(items.regions[r], source, lattice)) near.regions.push_back(items.regions[r]);
    const int64_t end = static_cast<int64_t>(near.regions.size());
    if (end > near.first.back()) near.first.push_back(end);
  }
  items = std::move(near);
}

Rows::Rows(const Tensor& t, const float* zeros)
    : data(t.f32()),
      pending(t.pending),
      zeros(zeros),
      channels(t.layout.channels()),
      size(t.layout.shape.size()),
      edge(t.layout.edge()),
      cells(t.layout.grid ? t.layout.grid->cells : Int3{1, 1, 1}),
      block_of(t.layout.grid ? t.layout.grid->block_of.data() : nullptr) {}

Sources sources_of(const Maps& maps, const float* zeros) {
  Sources sources;
  for (const Tensor& part : maps.parts) sources.emplace_back(part, zeros);
  return sources;
}

void Rows::list(int64_t sample, int64_t z, int64_t y, int64_t x, int64_t n, const float** out) const {
  const float** const end = out + n;
  if (z >= 0 && z < size.z && y >= 0 && y < size.y) {
    for (; out < end && x < 0; x++) *out++ = zeros;
    const int64_t cell_row = ((sample * cells.z + z / edge.z) * cells.y + y / edge.y) * cells.x;
    const int64_t row_in_block = (z % edge.z) * edge.y + y % edge.y;
    for (int64_t cell = x / edge.x; out < end && x < size.x; cell++) {
      const int64_t inside = x - cell * edge.x, run = std::min<int64_t>(edge.x - inside, end - out);
      const int64_t block = block_of ? block_of[cell_row + cell] : sample;
      if (block < 0) {
        for (int64_t i = 0; i < run; i++) out[i] = zeros;
      } else {
        const float* p = data + ((block * edge.z * edge.y + row_in_block) * edge.x + inside) * channels;
        for (int64_t i = 0; i < run; i++) out[i] = p + i * channels;
      }
      out += run;
      x += run;
    }
  }
  while (out < end) *out++ = zeros;
}

// Rows that the largest region reads, one more than needed where a lattice has no voxel.
static Int3 pitch_of(const Items& items, const Lattice& l) {
  return (items.largest - Int3{1, 1, 1}) * l.jump + l.span() + Int3{1, 1, 1};
}

RowTable::RowTable(const Items& items, const std::vector<Lattice>& lattices, const Maps& source)
    : channels_(source.channels()) {
  size_t most_rows = 0, most_taps = 0;
  for (const Lattice& l : lattices) {
    most_rows = std::max(most_rows, static_cast<size_t>(pitch_of(items, l).product() * items.most_regions));
    most_taps = std::max(most_taps, l.taps.size());
  }
  rows.assign(source.parts.size(), std::vector<const float*>(most_rows));
  delta.resize(most_taps);
  base.resize(items.most_cells);
  voxel.resize(items.most_cells);
  listed_.resize(items.most_regions);
  if (source.pending()) copies_.resize(most_rows * channels_);
  if (channels_ > kFewChannels) return;
  values.resize(most_rows * channels_);
  offsets.resize(most_taps * channels_);
}

void RowTable::fill_values(const Sources& sources) {
  float* to = values.data();
  for (size_t part = 0; part < sources.size(); to += sources[part++].channels)
    for (int64_t i = 0; i < used_; i++)
      for (int64_t c = 0; c < sources[part].channels; c++) to[i * channels_ + c] = rows[part][i] ? rows[part][i][c] : 0;
  for (size_t i = 0; i < offsets.size(); i++)
    offsets[i] = static_cast<int32_t>(delta[i / channels_] * channels_ + i % channels_);
}

void RowTable::list_rows(const Rows& source, int64_t sample, const Box& box, Int3 pitch, int64_t slot,
                         const float** to) {
  const auto normalise = simd_normalise_rows();
  const RowNorm norm{source.pending.of(sample), source.channels, source.pending.slope};
  const Int3 from = box.from;
  for (int64_t z = 0; z < box.size.z; z++)
    for (int64_t y = 0; y < box.size.y; y++) {
      const int64_t at = slot + (z * pitch.y + y) * pitch.x;
      source.list(sample, from.z + z, from.y + y, from.x, box.size.x, to + at);
      if (source.pending) normalise(norm, to + at, box.size.x, source.zeros, copies_.data() + at * source.channels);
    }
}

void RowTable::fill(const Sources& sources, const Layout& dest, const Lattice& l, const Items& items, int64_t item) {
  const Int3 pitch = pitch_of(items, l), low = l.low(), edge = dest.edge();
  for (size_t d = 0; d < l.taps.size(); d++) {
    const Int3 at = l.taps[d].at - low;
    delta[d] = static_cast<int32_t>((at.z * pitch.y + at.y) * pitch.x + at.x);
  }
  voxels = used_ = 0;
  if (item != item_ || pitch != pitch_) listed_.assign(listed_.size(), {});
  item_ = item;
  pitch_ = pitch;
  int64_t slot = 0;
  for (int64_t r = items.first[item]; r < items.first[item + 1]; r++, slot += pitch.product()) {
    const Region& region = items.regions[r];
    const Int3 q = l.first_in(region.first), n = l.count_in(region.first, region.end);
    if (n.z <= 0 || n.y <= 0 || n.x <= 0) continue;
    const Int3 from = q * l.jump + low, rows_read = (n - Int3{1, 1, 1}) * l.jump + l.span() + Int3{1, 1, 1};
    Box& before = listed_[r - items.first[item]];
    if (!l.taps.empty() && (before.from != from || before.size != rows_read)) {
      for (size_t part = 0; part < sources.size(); part++)
        list_rows(sources[part], region.sample, {from, rows_read}, pitch, slot, rows[part].data());
      before = {from, rows_read};
    }
    used_ = slot + pitch.product();
    const Int3 first = q * l.step + l.offset - dest.corner_of(region.block);
    for (int64_t z = 0; z < n.z; z++)
      for (int64_t y = 0; y < n.y; y++) {
        const int64_t row = slot + (z * l.jump.z * pitch.y + y * l.jump.y) * pitch.x;
        const int64_t at =
            ((region.block * edge.z + first.z + z * l.step.z) * edge.y + first.y + y * l.step.y) * edge.x;
        for (int64_t x = 0; x < n.x; x++, voxels++) {
          base[voxels] = static_cast<int32_t>(row + x * l.jump.x);
          voxel[voxels] = at + first.x + x * l.step.x;
        }
      }
  }
}

}  // namespace voxelspark
