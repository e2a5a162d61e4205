// The weight gradient by F(2,2,2) or F(2,4,4): frequency by frequency, sums over tiles of outer products of the
// transformed input and the transformed output gradient. Two ways to share it out, by shapes alone, so that no bit
// depends on threads. With few channels the sums stay in the L2 of a thread, all of a slot, or those of one of the four
// frequencies of depth, for which the transforms are made alone. Slots are ranges of tiles with sums of their own,
// added in slot order. Many channels take one set of sums, whose frequencies are shared out after every batch of tiles.
#include <algorithm>

#include "device/parallel.h"
#include "device/scratch.h"
#include "ops/conv3d/widths.h"
#include "ops/conv3d/winograd.h"
#include "ops/conv3d/winograd_cells.h"

namespace voxelspark {

constexpr int64_t kMostSums = 1 << 18;              // that a thread adds to in all frequencies: half of a usual L2
constexpr int64_t kMostSumsOfPart = 36 * 64 * 128;  // in those of one depth: more of the L2, but less work beside it
constexpr int64_t kMostSlots = 16, kChunksOfSlot = 8;
constexpr int64_t kChunkFloats = 1 << 18;                    // of transformed input and gradient: half of a usual L2
constexpr int64_t kFewestTiles = 14, kMostTiles = 28;        // of a chunk
constexpr int kPiece = 14;                                   // tiles that one thread transforms for a batch
constexpr int64_t kSmallestBatch = 96, kLargestBatch = 256;  // tiles

namespace {

struct Plan {
  int m;
  int64_t frequencies, channels, outputs, tiles;
  int64_t parts;  // of the frequencies, that units of work share out: 1, or by depth
  bool by_slots;
  int want;  // tiles of a chunk or piece
  int64_t slots = 1;

  Plan(int m, const Layout& x, const Layout& gy)
      : m(m),
        frequencies(frequencies_of(m)),
        channels(x.channels()),
        outputs(gy.channels()),
        tiles(Cells::count(gy, x) * Tiles(Cells::edge_of(gy, x), m).per_cell()),
        parts(frequencies * channels * outputs <= kMostSums ? 1 : 4),
        by_slots(frequencies / parts * channels * outputs <= kMostSumsOfPart) {
    const int64_t fit = kChunkFloats * parts / (frequencies * (channels + outputs));
    want = by_slots ? static_cast<int>(std::clamp<int64_t>(fit, kFewestTiles, kMostTiles)) : kPiece;
    while (by_slots && slots < kMostSlots / parts && slots * 2 * kChunksOfSlot * want <= tiles) slots *= 2;
  }
  // Twice as many floats of transformed tiles as of sums, which every batch reads and writes.
  int64_t batch() const {
    const int64_t fit = 2 * channels * outputs / (channels + outputs);
    return std::min(std::clamp(fit, kSmallestBatch, kLargestBatch), tiles);
  }
  int64_t sums_floats(int64_t lanes) const { return frequencies * outputs * round_up(channels, lanes); }
  int64_t workspace_floats() const {
    const int64_t rows = round_up(channels, kWidestVector) + round_up(outputs, kWidestVector);
    const int64_t batch_floats = by_slots ? 0 : frequencies * (batch() * rows + 2 * kSkew);
    return slots * sums_floats(kWidestVector) + batch_floats;
  }
};

struct Transformed {  // tiles: v[frequency][channel / lanes][tile][lanes], g[frequency][tile][channel]
  float *v, *g;
  int64_t frequencies, v_step, v_block, g_step, g_row;

  Transformed(int64_t tiles, const Plan& p, int64_t lanes, int64_t frequencies, float* memory)
      : v(memory),
        frequencies(frequencies),
        v_step(round_up(p.channels, lanes) * tiles + kSkew),
        v_block(tiles * lanes),
        g_row(round_up(p.outputs, lanes)) {
    g = v + frequencies * v_step;
    g_step = g_row * tiles + kSkew;
  }
  int64_t floats() const { return frequencies * (v_step + g_step); }
};

struct WeightGradient {
  int m;
  const Maps& x;
  const Tensor &gy, &gw;
  float* gb;  // null: not wanted
  float* sums;

  const Plan plan{m, x.layout, gy.layout};
  const int64_t lanes = simd_winograd_shape()().lanes;
  const Cells cells{gy.layout, x.layout};
  const Tiles tiles{cells.edge, m};
  const CellViews from = views_of(x, cells);
  const CellView to{gy, cells};
  const std::vector<Chunk> chunks = chunks_of(cells, tiles, plan.want);
  const int64_t sums_step = plan.outputs * round_up(plan.channels, lanes), slot_step = plan.frequencies * sums_step;
  const std::vector<float> zeros =
      std::vector<float>(std::max(zeros_for(tiles, plan.want, plan.channels), plan.outputs));
  std::vector<double> bias_parts = std::vector<double>(gb ? chunks.size() * plan.outputs : 0);  // [chunk][output]

  void transform(int64_t chunk, const Transformed& t, int64_t first, int only = 0);
  void add(const Transformed& t, int n, int64_t frequency, float* sums, bool fresh) const;
  void add_bias(int64_t chunk, const Transformed& t, int64_t first, int only);
  void run_slots();
  void run_batches();
  void finish() const;
};

// Tiles of a chunk into places `first` and following.
void WeightGradient::transform(int64_t c, const Transformed& t, int64_t first, int only) {
  const Chunk& chunk = chunks[c];
  WinogradRun run{};
  run.v = t.v + first * lanes;
  run.frequency_stride = t.v_step;
  run.block_stride = t.v_block;
  run.only = only;
  load_tiles(from, tiles, chunk, zeros.data(), run);
  const auto gradient = simd_winograd_gradient();
  for (int i = 0; i < chunk.tiles; i++) {
    const int64_t entry = tiles.entry_of(chunk.first + i);
    const Int3 at = tiles.first_voxel(chunk.first + i), room = tiles.edge - at;
    WinogradGradient w{};
    const float** row = w.at;
    for (int64_t z = 0; z < 2; z++)
      for (int64_t y = 0; y < m; y++, row += m) {
        const bool inside = z < room.z && y < room.y;
        const float* begin = inside ? to.voxel(entry, at + Int3{z, y, 0}) : zeros.data();
        for (int64_t x = 0; x < m; x++) {
          const bool live = inside && x < room.x;
          row[x] = live ? begin + x * to.channels : zeros.data();
          w.live |= uint32_t{live} << (row - w.at + x);
        }
      }
    w.affine = to.pending.of(to.sample[entry]);
    w.slope = to.pending.slope;
    w.channels = plan.outputs;
    w.g = t.g + (first + i) * t.g_row;
    w.frequency_stride = t.g_step;
    w.only = only;
    gradient(m, w);
  }
  if (gb) add_bias(c, t, first, only);
}

// The second point of each dimension is 1, where the transform of a tile's gradients is their sum.
void WeightGradient::add_bias(int64_t c, const Transformed& t, int64_t first, int only) {
  constexpr int kPointOne = 1;
  if (only && only != kPointOne + 1) return;
  const int64_t depth = only ? 0 : kPointOne, frequency = (depth * (m + 2) + kPointOne) * (m + 2) + kPointOne;
  const float* g = t.g + frequency * t.g_step + first * t.g_row;
  double* part = &bias_parts[c * plan.outputs];
  for (int i = 0; i < chunks[c].tiles; i++, g += t.g_row)
    for (int64_t k = 0; k < plan.outputs; k++) part[k] += g[k];
}

void WeightGradient::add(const Transformed& t, int n, int64_t f, float* to, bool fresh) const {
  simd_winograd_outer()({t.v + f * t.v_step, t.g + f * t.g_step, t.v_block, t.g_row, n, plan.channels, plan.outputs,
                         to + f * sums_step, fresh});
}

void WeightGradient::run_slots() {
  const int64_t n = static_cast<int64_t>(chunks.size()), frequencies = plan.frequencies / plan.parts;
  const TeamScratch scratch(Transformed(plan.want, plan, lanes, frequencies, nullptr).floats());
  parallel_for(plan.slots * plan.parts, [&](int64_t i) {
    const Transformed t(plan.want, plan, lanes, frequencies, scratch.mine());
    const int64_t s = i / plan.parts, part = i % plan.parts;
    float* to = sums + s * slot_step + part * frequencies * sums_step;
    const int64_t begin = n * s / plan.slots, end = n * (s + 1) / plan.slots;
    for (int64_t c = begin; c < end; c++) {
      transform(c, t, 0, plan.parts > 1 ? static_cast<int>(part + 1) : 0);
      for (int64_t f = 0; f < frequencies; f++) add(t, chunks[c].tiles, f, to, c == begin);
    }
  });
}

void WeightGradient::run_batches() {
  const Transformed t(plan.batch(), plan, lanes, plan.frequencies, sums + slot_step);
  size_t next = 0;
  for (bool fresh = true; next < chunks.size(); fresh = false) {
    std::vector<int64_t> place;  // of the chunks of this batch
    int64_t n = 0;
    const int64_t begin = static_cast<int64_t>(next);
    for (; next < chunks.size() && n + chunks[next].tiles <= plan.batch(); n += chunks[next++].tiles)
      place.push_back(n);
    parallel_for(static_cast<int64_t>(place.size()), [&](int64_t i) { transform(begin + i, t, place[i]); });
    parallel_for(plan.frequencies, [&](int64_t f) { add(t, static_cast<int>(n), f, sums, fresh); });
  }
}

void WeightGradient::finish() const {
  const auto taps = simd_winograd_taps();
  parallel_for(plan.outputs, [&](int64_t k) {
    for (int64_t c = 0; c < plan.channels; c += lanes) {
      const int64_t panel = c / (2 * lanes), begin = panel * 2 * lanes,
                    width = std::min(2 * lanes, round_up(plan.channels - begin, lanes));
      taps(m, {sums + begin * plan.outputs + k * width + (c - begin), sums_step, slot_step,
               static_cast<int>(plan.slots), gw.f32() + k * 27 * plan.channels + c, plan.channels, plan.channels - c});
    }
    if (!gb) return;
    double sum = 0;
    for (size_t i = k; i < bias_parts.size(); i += plan.outputs) sum += bias_parts[i];
    gb[k] = static_cast<float>(sum);
  });
}

}  // namespace

int64_t winograd_grad_weight_workspace(int m, const Layout& x, const Layout& gy) {
  return 4 * Plan(m, x, gy).workspace_floats();
}

void winograd_grad_weight(int m, const Maps& x, const Tensor& gy, const Tensor& gw, float* gb, void* workspace) {
  WeightGradient w{m, x, gy, gw, gb, static_cast<float*>(workspace)};
  if (w.plan.by_slots) w.run_slots();
  else w.run_batches();
  w.finish();
}

}  // namespace voxelspark
