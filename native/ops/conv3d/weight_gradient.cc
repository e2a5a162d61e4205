#include "ops/conv3d/weight_gradient.h"

#include <algorithm>

#include "device/parallel.h"
#include "ops/conv3d/regions.h"
#include "ops/conv3d/simd.h"

namespace voxelspark {

constexpr int64_t kCells = 768;              // voxels of an item: a box large enough to amortise its halo
constexpr int64_t kRun = 128;                // voxels that pass through a register tile at once: they stay in the L1
constexpr int64_t kUnitBytes = 1 << 18;      // sums of a unit, which pass through the cache once an item
constexpr int64_t kWholeBytes = 1 << 20;     // up to here one unit takes all taps and reads its sources once
constexpr int64_t kShares = 32;              // slots times units: enough to occupy any machine
constexpr int64_t kSlotBytes = 1 << 25;      // of all slots together
constexpr int64_t kSkippingProducts = 4096;  // C times K from which it pays to list the voxels with a live source
constexpr int64_t kScaleRow = 16;            // floats, at least the rows of a register tile

namespace {

struct Plan {
  std::vector<Lattice> lattice;
  Items items;
  int64_t taps, channels, outputs;  // C and K
  bool unfolded;
  int64_t units, slots;

  Plan(const ConvGeometry& g, const Layout& x, const Layout& gy)
      : lattice(forward_lattice(g)),
        items(cut(gy, {1, 1, 1}, kCells)),
        taps(g.kernel.product()),
        channels(x.channels()),
        outputs(gy.channels()),
        unfolded(channels <= kFewChannels) {
    const int64_t bytes = sums() * 4, per_tap = bytes / taps;
    units = unfolded || bytes <= kWholeBytes ? 1 : taps / std::clamp<int64_t>(kUnitBytes / per_tap, 1, taps);
    const int64_t affordable = std::max<int64_t>(1, kSlotBytes / bytes);
    slots = std::clamp<int64_t>(std::min(kShares / units, affordable), 1, std::max<int64_t>(1, items.size()));
  }

  int64_t sums() const { return taps * channels * outputs; }
  // Without unfolding the first slot is the result itself.
  int64_t own_slots() const { return unfolded ? slots : slots - 1; }
};

// What one thread works in.
struct Scratch {
  RowTable table;
  std::vector<int32_t> identity, live;
  std::vector<const float*> scale_rows, live_scales, packed_rows, unfolded_rows;
  std::vector<float> scales, packed, unfolded, normalised;

  Scratch(const Plan& p, int64_t width, int64_t groups, const Maps& x, const Tensor& gy)
      : table(p.items, p.lattice, x),
        identity(kRun),
        live(kRun),
        scale_rows(kRun),
        live_scales(kRun),
        packed_rows(kRun),
        unfolded_rows(kRun),
        scales(p.unfolded ? 0 : groups * kRun * kScaleRow),
        packed(kRun * width),
        unfolded(p.unfolded ? kRun * p.taps * p.channels : 0),
        normalised(gy.pending ? kRun * p.outputs : 0) {
    for (int64_t i = 0; i < kRun; i++) identity[i] = static_cast<int32_t>(i);
  }
};

// Pairs of a row of a vector side and a row of scales.
struct Pairs {
  const float* const* vectors;
  const int32_t* at;
  const float* const* scales;
  int64_t n;
};

struct Engine {
  const Plan& plan;
  const Sources sources;
  const Tensor& gy;
  const float* zeros;
  const TileShape shape = simd_tile_shape()();
  const int64_t widest = shape.lanes * shape.vectors;

  int64_t groups_of(int64_t rows) const { return (rows + shape.rows - 1) / shape.rows; }

  // out[r][c] += sum over pairs of scale[r < rows] * vector[c < columns]. Scales of group i of rows begin at
  // i * group_offset; 0: they lie side by side.
  void add_products(Scratch& s, const Pairs& pairs, int64_t group_offset, int64_t rows, int64_t columns, float* out,
                    int64_t out_stride, bool fresh) const {
    const auto outer_tile = simd_outer_tile();
    const int64_t groups = groups_of(rows);
    for (int64_t c = 0; c < columns; c += widest) {
      const int64_t valid = std::min(widest, columns - c),
                    width = (valid + shape.lanes - 1) / shape.lanes * shape.lanes;
      OuterTile tile{pairs.vectors, pairs.at, pairs.scales, pairs.n, c, 0, nullptr, out_stride, valid, fresh};
      if (valid < width) pack_panel(s, tile, width);
      for (int64_t i = 0; i < groups; i++) {
        const int64_t a = rows * i / groups, b = rows * (i + 1) / groups;
        tile.scale_offset = group_offset ? i * group_offset : a;
        tile.out = out + a * out_stride + c;
        outer_tile(tile, static_cast<int>(b - a), static_cast<int>(width / shape.lanes));
      }
    }
  }

  // Copies a panel that ends inside a vector: it may end the tensor too.
  void pack_panel(Scratch& s, OuterTile& tile, int64_t width) const {
    simd_pack_rows()(tile.x, tile.at, tile.n, tile.x_offset, tile.valid, width, s.packed.data());
    for (int64_t i = 0; i < tile.n; i++) s.packed_rows[i] = s.packed.data() + i * width;
    tile.x = s.packed_rows.data();
    tile.at = s.identity.data();
    tile.x_offset = 0;
  }

  // scale_rows = the gradients of voxels [a, b), in normalised copies where that is pending.
  void list_gradients(Scratch& s, int64_t a, int64_t b) const {
    for (int64_t v = a; v < b; v++) s.scale_rows[v - a] = gy.f32() + s.table.voxel[v] * plan.outputs;
    if (!gy.pending) return;
    const int64_t block = gy.layout.edge().product();
    for (int64_t v = a, end = a; v < b; v = end) {
      const int64_t of = s.table.voxel[v] / block;
      while (end < b && s.table.voxel[end] / block == of) end++;
      simd_normalise_rows()({gy.pending.of(gy.layout.sample_of(of)), plan.outputs, gy.pending.slope},
                            &s.scale_rows[v - a], end - v, nullptr, &s.normalised[(v - a) * plan.outputs]);
    }
  }

  // The gradients of voxels [a, b), one line of the cache a voxel and group of rows.
  void pack_scales(Scratch& s, int64_t a, int64_t b) const {
    list_gradients(s, a, b);
    const int64_t groups = groups_of(plan.outputs);
    for (int64_t i = 0; i < groups; i++) {
      const int64_t first = plan.outputs * i / groups, valid = std::min(kScaleRow, plan.outputs - first);
      simd_pack_rows()(s.scale_rows.data(), s.identity.data(), b - a, first, valid, kScaleRow,
                       s.scales.data() + i * kRun * kScaleRow);
    }
    for (int64_t v = 0; v < b - a; v++) s.scale_rows[v] = s.scales.data() + v * kScaleRow;
  }

  // Voxels [a, b) with what they read of the first part at a tap; where it pays, only those that do not read zeros. The
  // other parts are of the same grid.
  Pairs pairs_of(Scratch& s, int64_t tap, int64_t a, int64_t b) const {
    const float* const* rows = s.table.rows[0].data() + s.table.delta[tap];
    const int32_t* base = s.table.base.data() + a;
    if (plan.channels * plan.outputs < kSkippingProducts) return {rows, base, s.scale_rows.data(), b - a};
    int64_t n = 0;
    for (int64_t v = 0; v < b - a; v++) {
      s.live[n] = base[v];
      s.live_scales[n] = s.scale_rows[v];
      n += rows[base[v]] != zeros;
    }
    return {rows, s.live.data(), s.live_scales.data(), n};
  }

  // Calls body(a, b) for the voxels of a range of items, a run at a time.
  template <class Body>
  void each_run(Scratch& s, int64_t first_item, int64_t end_item, const Body& body) const {
    for (int64_t item = first_item; item < end_item; item++) {
      s.table.fill(sources, gy.layout, plan.lattice[0], plan.items, item);
      if (plan.unfolded) s.table.fill_values(sources);
      const int64_t voxels = s.table.voxels, runs = (voxels + kRun - 1) / kRun;
      for (int64_t i = 0; i < runs; i++) body(voxels * i / runs, voxels * (i + 1) / runs);
    }
  }

  // The sum of a range of items and taps, [K][tap][C].
  void run(Scratch& s, int64_t first_item, int64_t end_item, int64_t first_tap, int64_t end_tap, float* out) const {
    const int64_t stride = plan.taps * plan.channels;
    std::vector<char> fresh(end_tap - first_tap, 1);
    each_run(s, first_item, end_item, [&](int64_t a, int64_t b) {
      pack_scales(s, a, b);
      for (int64_t tap = first_tap; tap < end_tap; tap++) {
        Pairs pairs = pairs_of(s, tap, a, b);
        if (!pairs.n) continue;
        float* to = out + tap * plan.channels;
        for (size_t part = 0; part < sources.size(); to += sources[part++].channels) {
          pairs.vectors = s.table.rows[part].data() + s.table.delta[tap];
          add_products(s, pairs, kRun * kScaleRow, plan.outputs, sources[part].channels, to, stride,
                       fresh[tap - first_tap]);
        }
        fresh[tap - first_tap] = 0;
      }
    });
    for (int64_t tap = first_tap; tap < end_tap; tap++)
      for (int64_t k = 0; fresh[tap - first_tap] && k < plan.outputs; k++)
        std::fill_n(out + k * stride + tap * plan.channels, plan.channels, 0.0f);
  }

  // The sum of a range of items, [tap, C][K]: few input channels make short vectors, so the outputs take that part.
  void run_unfolded(Scratch& s, int64_t first_item, int64_t end_item, float* out) const {
    const int64_t length = plan.taps * plan.channels;
    bool fresh = true;
    each_run(s, first_item, end_item, [&](int64_t a, int64_t b) {
      simd_unfold_values()(s.table.values.data(), s.table.base.data() + a, b - a, plan.channels, s.table.offsets.data(),
                           length, s.unfolded.data());
      for (int64_t v = a; v < b; v++) s.unfolded_rows[v - a] = s.unfolded.data() + (v - a) * length;
      list_gradients(s, a, b);
      const Pairs pairs{s.scale_rows.data(), s.identity.data(), s.unfolded_rows.data(), b - a};
      add_products(s, pairs, 0, length, plan.outputs, out, plan.outputs, fresh);
      fresh = false;
    });
    if (fresh) std::fill_n(out, plan.sums(), 0.0f);
  }
};

}  // namespace

int64_t weight_gradient_workspace(const ConvGeometry& g, const Layout& x, const Layout& gy) {
  const Plan plan(g, x, gy);
  return 4 * (x.channels() + plan.own_slots() * plan.sums());
}

void weight_gradient(const ConvGeometry& g, const Maps& x, const Tensor& gy, const Tensor& gw, void* workspace) {
  const Plan plan(g, x.layout, gy.layout);
  float *zeros = static_cast<float*>(workspace), *own = zeros + plan.channels, *result = gw.f32();
  std::fill_n(zeros, plan.channels, 0.0f);
  const Engine engine{plan, sources_of(x, zeros), gy, zeros};
  std::vector<Scratch> scratch(omp_get_max_threads(),
                               Scratch(plan, engine.widest, engine.groups_of(plan.outputs), x, gy));
  const int64_t shares = plan.slots * plan.units, products = gy.layout.voxels() * plan.sums();
  parallel_items(shares, products / shares / kProductsPerElement, [&](int64_t i) {
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

}  // namespace voxelspark
