#include "ops/conv3d/gather_gemm.h"

#include <algorithm>
#include <cstring>

#include "device/parallel.h"
#include "device/scratch.h"
#include "ops/conv3d/regions.h"
#include "ops/conv3d/simd.h"
#include "ops/conv3d/widths.h"

namespace voxelspark {

constexpr int64_t kMostCells = 512, kFewestCells = 56;  // of an item: rows of its sources and a panel share the L2
constexpr int64_t kUnits = 64;                          // enough to occupy any machine
constexpr int64_t kPackedChannels = 64;                 // source channels of a packing task
constexpr int64_t kFewVoxels = 256;                     // that meet at least kSomeWeights: see run_by_taps()
constexpr int64_t kSomeWeights = 1 << 18;
constexpr int64_t kStreamed = int64_t{1} << 22;  // floats of an output that is far larger than an L2

int64_t gather_gemm_workspace(int64_t taps, int64_t source_channels, int64_t dest_channels) {
  const int64_t width = round_up(dest_channels, kWidestVector);
  return 4 * (taps * source_channels * width + width + round_up(source_channels, kWidestVector));
}

GatherGemm forward_gemm(const ConvGeometry& g, const Maps& x, const Tensor& weight, const float* bias,
                        const Tensor& y) {
  const int64_t c = weight.layout.shape[1];
  return {x, y, forward_lattice(g), weight.f32(), c, 1, g.kernel.product() * c, bias};
}

GatherGemm adjoint_gemm(const ConvGeometry& g, const Tensor& gy, const Tensor& weight, const float* bias,
                        const Tensor& gx, int64_t first) {
  const int64_t c = weight.layout.shape[1];
  return {gy, gx,  adjoint_lattices(g, gx.layout.shape.size()), weight.f32() + first, c, g.kernel.product() * c,
          1,  bias};
}

namespace {

// Panels of destination channels: all two vectors wide but perhaps the last.
struct Panels {
  int64_t channels, lanes, most;  // most: channels of a full panel

  int64_t count() const { return (channels + most - 1) / most; }
  int64_t valid(int64_t p) const { return std::min(most, channels - p * most); }
  int vectors(int64_t p) const { return static_cast<int>((valid(p) + lanes - 1) / lanes); }
};

struct Engine {
  const GatherGemm& g;
  const TileShape shape = simd_tile_shape()();
  const Panels panels{g.dest.layout.channels(), shape.lanes, shape.lanes* shape.vectors};
  const int64_t channels = g.source.layout.channels();
  // An output that no cache keeps is written without being read first.
  const bool streams = !g.add && g.dest.layout.stored_elements() >= kStreamed && panels.channels % kWidestVector == 0;
  int64_t taps = 0;
  float *packed, *bias, *zeros;

  Engine(const GatherGemm& g, void* workspace) : g(g) {
    for (const Lattice& l : g.lattices) taps += static_cast<int64_t>(l.taps.size());
    const int64_t width = round_up(panels.channels, kWidestVector);
    packed = static_cast<float*>(workspace);
    bias = packed + taps * channels * width;
    zeros = bias + width;
    std::fill(bias, zeros + channels, 0.0f);
    if (g.bias) std::copy(g.bias, g.bias + panels.channels, bias);
  }

  // The weights are far larger than what they meet: they are packed tap by tap where they are used, not as a whole.
  bool few_voxels() const {
    return g.dest.layout.voxels() <= kFewVoxels && channels > kFewChannels &&
           taps * channels * panels.channels > kSomeWeights;
  }
  void pack_tap(int64_t weight, int64_t p, float* to) const {
    simd_pack_weights()(g.weights + weight * g.tap_stride + p * panels.most * g.dest_stride, g.dest_stride,
                        g.source_stride, channels, panels.valid(p), panels.vectors(p) * shape.lanes, to);
  }

  float* panel(int64_t p) const { return packed + p * taps * channels * panels.most; }

  void pack() const {
    std::vector<int64_t> order;
    for (const Lattice& l : g.lattices)
      for (const Tap& t : l.taps) order.push_back(t.weight);
    const auto pack_weights = simd_pack_weights();
    // Chunks of source channels, all panels: rows of weights are read from end to end.
    const int64_t chunks = (channels + kPackedChannels - 1) / kPackedChannels;
    parallel_items(taps * chunks, kPackedChannels * panels.channels, [&](int64_t i) {
      const int64_t tap = i / chunks, from = i % chunks * kPackedChannels,
                    n = std::min(kPackedChannels, channels - from);
      for (int64_t p = 0; p < panels.count(); p++) {
        const int64_t width = panels.vectors(p) * shape.lanes;
        pack_weights(g.weights + order[tap] * g.tap_stride + from * g.source_stride + p * panels.most * g.dest_stride,
                     g.dest_stride, g.source_stride, n, panels.valid(p), width,
                     panel(p) + (tap * channels + from) * width);
      }
    });
  }
};

// What the tiles of a lattice have in common.
GatherTile tile_of(const Engine& e, const Sources& sources, const RowTable& table, const Lattice& l) {
  GatherTile tile{};
  for (size_t part = 0; part < sources.size(); part++)
    tile.parts[part] = {table.rows[part].data(), sources[part].channels};
  tile.zeros = e.zeros;
  tile.delta = table.delta.data();
  tile.taps = static_cast<int64_t>(l.taps.size());
  tile.channels = e.channels;
  tile.out_stride = e.panels.channels;
  tile.add = e.g.add;
  return tile;
}

// All voxels of the table and one panel.
void multiply(const Engine& e, const RowTable& table, int64_t p, GatherTile& tile) {
  const auto gather_tile = simd_gather_tile();
  const int vectors = e.panels.vectors(p);
  tile.out = e.g.dest.f32() + p * e.panels.most;
  tile.valid = e.panels.valid(p);
  const int64_t voxels = table.voxels, groups = (voxels + e.shape.rows - 1) / e.shape.rows;
  for (int64_t i = 0; i < groups; i++) {
    const int64_t a = voxels * i / groups, b = voxels * (i + 1) / groups;
    tile.base = table.base.data() + a;
    tile.voxel = table.voxel.data() + a;
    gather_tile(tile, static_cast<int>(b - a), vectors);
  }
}

void run(const Engine& e, const Items& items, int64_t item, int64_t first_panel, int64_t end_panel, RowTable& table) {
  const Sources sources = sources_of(e.g.source, e.zeros);
  int64_t tap = 0;
  for (const Lattice& l : e.g.lattices) {
    table.fill(sources, e.g.dest.layout, l, items, item);
    GatherTile tile = tile_of(e, sources, table, l);
    if (e.channels <= kFewChannels && tile.taps > 1) {
      table.fill_values(sources);
      tile.values = table.values.data();
      tile.offsets = table.offsets.data();
      tile.value_stride = e.channels;
      tile.channels = tile.taps * e.channels;
    }
    for (int64_t p = first_panel; p < end_panel; p++) {
      const int64_t width = e.panels.vectors(p) * e.shape.lanes;
      tile.weights = e.panel(p) + tap * e.channels * width;
      tile.bias = e.bias + p * e.panels.most;
      tile.stream = e.streams && e.panels.valid(p) == width;
      multiply(e, table, p, tile);
    }
    tap += static_cast<int64_t>(l.taps.size());
  }
  if (e.streams) simd_stream_fence()();
}

// One panel of all voxels, which are one item, tap by tap; `packed` has room for a tap's weights.
void run_by_taps(const Engine& e, const Items& items, int64_t p, RowTable& table, float* packed) {
  const Sources sources = sources_of(e.g.source, e.zeros);
  const float none[2 * kWidestVector] = {};
  for (const Lattice& l : e.g.lattices) {
    table.fill(sources, e.g.dest.layout, l, items, 0);
    GatherTile tile = tile_of(e, sources, table, l);
    tile.weights = packed;
    tile.bias = e.bias + p * e.panels.most;
    tile.taps = std::min<int64_t>(tile.taps, 1);
    if (l.taps.empty()) multiply(e, table, p, tile);
    for (const Tap& tap : l.taps) {
      e.pack_tap(tap.weight, p, packed);
      multiply(e, table, p, tile);
      tile.delta++;
      tile.add = true;
      tile.bias = none;
    }
  }
}

}  // namespace

void gather_gemm(const GatherGemm& g, void* workspace) {
  const Engine e(g, workspace);
  const bool by_taps = e.few_voxels();
  if (!by_taps) e.pack();
  const Int3 step = g.lattices[0].step;
  const int64_t panels = e.panels.count(), cells = g.dest.layout.voxels() / step.product();
  const int64_t most = by_taps ? kFewVoxels : std::clamp(cells * panels / kUnits, kFewestCells, kMostCells);
  Items items = cut(g.dest.layout, step, most);
  if (g.add) keep_near(items, g.source.layout, g.lattices[0]);
  if (items.size() == 0) return;
  // Few items: threads share out the panels too, all working on one panel before the next.
  const int64_t parts = items.size() >= kUnits ? 1 : panels;
  std::vector<RowTable> tables(omp_get_max_threads(), RowTable(items, g.lattices, g.source));
  if (by_taps) {
    const TeamScratch scratch(e.channels * e.panels.most);
    parallel_for(panels, [&](int64_t p) { run_by_taps(e, items, p, tables[omp_get_thread_num()], scratch.mine()); });
    return;
  }
  const int64_t products = items.most_cells * e.taps * e.channels * panels / parts * e.panels.most;
  parallel_items(parts * items.size(), products / kProductsPerElement, [&](int64_t i) {
    const int64_t part = i / items.size();
    run(e, items, i % items.size(), part * panels / parts, (part + 1) * panels / parts, tables[omp_get_thread_num()]);
  });
}

}  // namespace voxelspark
