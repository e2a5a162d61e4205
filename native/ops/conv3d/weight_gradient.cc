#include "ops/conv3d/weight_gradient.h"

#include <algorithm>

#include "device/parallel.h"
#include "ops/conv3d/regions.h"
#include "ops/conv3d/simd.h"

namespace voxelspark {

constexpr int64_t kCells = 192;              // voxels of an item: enough to hide the loads of a register tile's sums
constexpr int64_t kUnitBytes = 1 << 18;      // sums of a unit, which pass through the cache once an item
constexpr int64_t kWholeBytes = 1 << 20;     // up to here one unit takes all taps and reads its sources once
constexpr int64_t kShares = 32;              // slots times units: enough to occupy any machine
constexpr int64_t kSlotBytes = 1 << 25;      // of all slots together
constexpr int64_t kUnfoldedChannels = 4;     // below, taps and channels of x together are the rows of a tile
constexpr int64_t kChunk = 1024;             // voxels of a partial channel sum

namespace {

struct Plan {
  std::vector<Lattice> lattice;
  Items items;
  int64_t taps, channels, outputs;  // C and K
  bool unfolded;
  int64_t units, slots;

  Plan(const ConvGeometry& g, const Layout& x, const Layout& gy)
      : lattice(forward_lattice(g)), items(cut(gy, {1, 1, 1}, kCells)), taps(g.kernel.product()),
        channels(x.channels()), outputs(gy.channels()), unfolded(channels <= kUnfoldedChannels) {
    const int64_t bytes = sums() * 4, per_tap = bytes / taps;
    units = unfolded || bytes <= kWholeBytes ? 1 : taps / std::clamp<int64_t>(kUnitBytes / per_tap, 1, taps);
    const int64_t affordable = std::max<int64_t>(1, kSlotBytes / bytes);
    slots = std::clamp<int64_t>(std::min(kShares / units, affordable), 1, std::max<int64_t>(1, items.size()));
  }

  int64_t sums() const { return taps * channels * outputs; }
  // Without unfolding the first slot is the result itself.
  int64_t own_slots() const { return unfolded ? slots : slots - 1; }
};

int64_t chunks_of(const Layout& l) { return (l.voxels() + kChunk - 1) / kChunk; }

// What one thread works in.
struct Scratch {
  RowTable table;
  std::vector<const float*> x, gy, padded_rows;
  std::vector<float> unfolded, padded;

  Scratch(const Plan& p, int64_t width)
      : table(p.items, p.lattice), x(p.items.most_cells), gy(p.items.most_cells), padded_rows(p.items.most_cells),
        unfolded(p.unfolded ? p.items.most_cells * p.taps * p.channels : 0), padded(p.items.most_cells * width) {}
};

struct Engine {
  const Plan& plan;
  const Tensor &x, &gy;
  const float* zeros;
  const TileShape shape = simd_tile_shape()();

  // out[r][c] += sum of n outer products of scale[r < rows] and vectors[c < columns]
  void add_products(Scratch& s, const float* const* vectors, const float* const* scale, int64_t n, int64_t rows,
                    int64_t columns, float* out, int64_t out_stride, bool fresh) const {
    const auto outer_tile = simd_outer_tile();
    const int64_t widest = shape.lanes * shape.vectors, groups = (rows + shape.rows - 1) / shape.rows;
    for (int64_t c = 0; c < columns; c += widest) {
      const int64_t valid = std::min(widest, columns - c), width = (valid + shape.lanes - 1) / shape.lanes * shape.lanes;
      OuterTile tile{vectors, scale, n, c, 0, nullptr, out_stride, valid, fresh};
      if (valid < width) pad(s, tile, width);
      for (int64_t i = 0; i < groups; i++) {
        const int64_t a = rows * i / groups, b = rows * (i + 1) / groups;
        tile.scale_offset = a;
        tile.out = out + a * out_stride + c;
        outer_tile(tile, static_cast<int>(b - a), static_cast<int>(width / shape.lanes));
      }
    }
  }

  // Copies a panel that ends inside a vector, which could otherwise be read beyond the tensor.
  void pad(Scratch& s, OuterTile& tile, int64_t width) const {
    for (int64_t i = 0; i < tile.n; i++) {
      float* to = s.padded.data() + i * width;
      const float* from = tile.x[i] + tile.x_offset;
      for (int64_t c = 0; c < width; c++) to[c] = c < tile.valid ? from[c] : 0;
      s.padded_rows[i] = to;
    }
    tile.x = s.padded_rows.data();
    tile.x_offset = 0;
  }

  const float* gradient_row(const Scratch& s, int64_t v) const { return gy.f32() + s.table.voxel[v] * plan.outputs; }
  const float* source_row(const Scratch& s, int64_t v, int64_t tap) const {
    return s.table.rows[s.table.base[v] + s.table.delta[tap]];
  }

  // The sum of a range of items and taps, [K][tap][C].
  void run(Scratch& s, int64_t first_item, int64_t end_item, int64_t first_tap, int64_t end_tap, float* out) const {
    const int64_t stride = plan.taps * plan.channels;
    const Rows source(x, zeros);
    std::vector<char> fresh(end_tap - first_tap, 1);
    for (int64_t item = first_item; item < end_item; item++) {
      s.table.fill(source, gy.layout, plan.lattice[0], plan.items, item);
      for (int64_t tap = first_tap; tap < end_tap; tap++) {
        int64_t n = 0;
        for (int64_t v = 0; v < s.table.voxels; v++) {
          s.x[n] = source_row(s, v, tap);
          s.gy[n] = gradient_row(s, v);
          n += s.x[n] != zeros;
        }
        if (!n) continue;
        add_products(s, s.x.data(), s.gy.data(), n, plan.outputs, plan.channels, out + tap * plan.channels, stride,
                     fresh[tap - first_tap]);
        fresh[tap - first_tap] = 0;
      }
    }
    for (int64_t tap = first_tap; tap < end_tap; tap++)
      for (int64_t k = 0; fresh[tap - first_tap] && k < plan.outputs; k++)
        std::fill_n(out + k * stride + tap * plan.channels, plan.channels, 0.0f);
  }

  // The sum of a range of items, [tap, C][K]: few input channels make short vectors, so the outputs take that part.
  void run_unfolded(Scratch& s, int64_t first_item, int64_t end_item, float* out) const {
    const int64_t length = plan.taps * plan.channels;
    const Rows source(x, zeros);
    if (first_item == end_item) std::fill_n(out, plan.sums(), 0.0f);
    for (int64_t item = first_item; item < end_item; item++) {
      s.table.fill(source, gy.layout, plan.lattice[0], plan.items, item);
      for (int64_t v = 0; v < s.table.voxels; v++) {
        float* to = s.unfolded.data() + v * length;
        s.x[v] = to;
        s.gy[v] = gradient_row(s, v);
        for (int64_t tap = 0; tap < plan.taps; tap++)
          for (int64_t c = 0; c < plan.channels; c++) *to++ = source_row(s, v, tap)[c];
      }
      add_products(s, s.gy.data(), s.x.data(), s.table.voxels, length, plan.outputs, out, plan.outputs,
                   item == first_item);
    }
  }
};

}  // namespace

int64_t weight_gradient_workspace(const ConvGeometry& g, const Layout& x, const Layout& gy) {
  const Plan plan(g, x, gy);
  const int64_t partial_sums = std::max(chunks_of(x) * x.channels(), chunks_of(gy) * gy.channels());
  return 4 * std::max(x.channels() + plan.own_slots() * plan.sums(), partial_sums);
}

void weight_gradient(const ConvGeometry& g, const Tensor& x, const Tensor& gy, const Tensor& gw, void* workspace) {
  const Plan plan(g, x.layout, gy.layout);
  float *zeros = static_cast<float*>(workspace), *own = zeros + plan.channels, *result = gw.f32();
  std::fill_n(zeros, plan.channels, 0.0f);
  const Engine engine{plan, x, gy, zeros};
  std::vector<Scratch> scratch(omp_get_max_threads(), Scratch(plan, engine.shape.lanes * engine.shape.vectors));
  parallel_for(plan.slots * plan.units, [&](int64_t i) {
    const int64_t slot = i / plan.units, unit = i % plan.units, items = plan.items.size();
    const int64_t first = items * slot / plan.slots, end = items * (slot + 1) / plan.slots;
    Scratch& s = scratch[omp_get_thread_num()];
    if (plan.unfolded) return engine.run_unfolded(s, first, end, own + slot * plan.sums());
    engine.run(s, first, end, plan.taps * unit / plan.units, plan.taps * (unit + 1) / plan.units,
               slot == 0 ? result : own + (slot - 1) * plan.sums());
  });
  const auto add = simd_add_range();
  parallel_ranges(plan.sums(), 1 << 14, [&](int64_t a, int64_t b) {
    float* to = plan.unfolded ? own : result;
    for (int64_t s = 1; s < plan.slots; s++) add(to + a, own + (plan.unfolded ? s : s - 1) * plan.sums() + a, b - a);
    if (!plan.unfolded) return;
    const int64_t length = plan.taps * plan.channels;
    for (int64_t i = a; i < b; i++) result[i % plan.outputs * length + i / plan.outputs] = own[i];
  });
}

void channel_sums(const Tensor& t, const Tensor& sums, void* workspace) {
  const int64_t channels = t.layout.channels(), voxels = t.layout.voxels(), chunks = chunks_of(t.layout);
  float* partial = static_cast<float*>(workspace);
  const auto column_sums = simd_column_sums();
  parallel_for(chunks, [&](int64_t i) {
    column_sums(t.f32() + i * kChunk * channels, std::min(kChunk, voxels - i * kChunk), channels,
                partial + i * channels);
  });
  for (int64_t c = 0; c < channels; c++) {
    double sum = 0;
    for (int64_t i = 0; i < chunks; i++) sum += partial[i * channels + c];
    sums.f32()[c] = static_cast<float>(sum);
  }
}

}  // namespace voxelspark
