#include "ops/conv3d/winograd.h"

#include <algorithm>

#include "device/parallel.h"
#include "device/scratch.h"
#include "ops/conv3d/simd.h"
#include "ops/conv3d/widths.h"
#include "ops/conv3d/winograd_cells.h"
#include "ops/conv3d/winograd_moments.h"

namespace voxelspark {

constexpr int64_t kPiece = 8;              // source channels whose weights are transformed together
constexpr int64_t kPieceTiles = 14;        // tiles that one thread transforms for a batch
constexpr int64_t kBatchProducts = 16384;  // tiles times frequencies of a batch
constexpr int64_t kFewTiles = 64;
constexpr int64_t kSomeWeights = 1 << 18;  // transformed, in floats: about half of a usual L2
constexpr int64_t kManyWeights = 1 << 21;

// Whether weights are transformed panel by panel, where they are used, rather than all in advance.
static bool by_panels(int m, int64_t tiles, int64_t source_channels, int64_t dest_channels) {
  const int64_t transformed = frequencies_of(m) * source_channels * dest_channels;
  return transformed > (tiles > kFewTiles ? kManyWeights : kSomeWeights);
}

// Tiles of a batch: as many as kBatchProducts allows, in batches of one size.
static int64_t batch_of(int m, int64_t tiles) {
  const int64_t most = kBatchProducts / frequencies_of(m), batches = (tiles + most - 1) / most;
  return std::min(tiles, (tiles + batches - 1) / batches + kPieceTiles - 1);
}

static int64_t workspace_for(int m, int64_t tiles, const Layout& source, const Layout& dest) {
  const int64_t width = round_up(dest.channels(), kWidestVector);
  if (by_panels(m, tiles, source.channels(), dest.channels())) {
    const int64_t v_step = round_up(source.channels(), kWidestVector) * batch_of(m, tiles) + kSkew;
    return 4 * (width + frequencies_of(m) * v_step);
  }
  return 4 * (width + frequencies_of(m) * source.channels() * width);
}

int64_t winograd_workspace(int m, const Layout& source, const Layout& dest) {
  const Tiles tiles(Cells::edge_of(dest, source), m);
  return workspace_for(m, Cells::count(dest, source) * tiles.per_cell(), source, dest);
}

int64_t winograd_add_workspace(int m, const Layout& x, const Layout& y) {
  const Cells cells(y, x);
  Tiles tiles(cells.edge, m);
  tiles.keep_near(CellView({x}, cells), cells);
  return workspace_for(m, tiles.before(static_cast<int64_t>(cells.cell.size())), x, y);
}

namespace {

// weight(tap, source channel, dest channel) = data[tap * tap_stride + source * source_stride + dest * dest_stride]
struct WeightView {
  const float* data;
  int64_t tap_stride, source_stride, dest_stride;
};

// Panels of output channels: all two vectors wide but perhaps the last.
struct Panels {
  int64_t channels, lanes;

  int64_t width() const { return 2 * lanes; }
  int64_t count() const { return (channels + width() - 1) / width(); }
  int64_t valid(int64_t p) const { return std::min(width(), channels - p * width()); }
  int vectors(int64_t p) const { return static_cast<int>((valid(p) + lanes - 1) / lanes); }
};

// Consecutive chunks, whose tiles are transformed together.
struct Batch {
  const std::vector<Chunk>& chunks;
  int64_t begin, size;

  // From chunk `begin` on, as many as have `most` tiles.
  Batch(const std::vector<Chunk>& chunks, int64_t begin, int64_t most) : chunks(chunks), begin(begin), size(0) {
    while (begin + size < static_cast<int64_t>(chunks.size()) && place(size + 1) <= most) size++;
  }
  const Chunk& at(int64_t i) const { return chunks[begin + i]; }
  // Tiles before chunk i, or all where there is none.
  int64_t place(int64_t i) const { return i ? at(i - 1).first + at(i - 1).tiles - at(0).first : 0; }
};

struct BatchPlan {
  int64_t parts;                            // that threads make of a panel's chunks
  int64_t v_block, v_step, u_step, m_step;  // in floats: between vectors of channels, between frequencies
};

struct Convolution {
  int m;
  const Maps &source, &dest;
  WeightView weights;
  bool add;  // to what dest holds, at the tiles that see the source
  LeftSums left;

  const WinogradShape shape = simd_winograd_shape()();
  const Panels panels{dest.channels(), shape.lanes};
  const int64_t channels = source.channels(), frequencies = frequencies_of(m);
  const Cells cells{dest.layout, source.layout};
  const CellViews from = views_of(source, cells), to = views_of(dest, cells);
  Tiles tiles{cells.edge, m};
  float *bias, *large;  // the workspace: bias, padded; transformed weights or inputs

  Convolution(int m, const Maps& source, const Maps& dest, WeightView weights, const float* bias, void* workspace,
              bool add = false, const LeftSums& left = {});
  int64_t width(int64_t p) const { return panels.vectors(p) * shape.lanes; }
  int64_t u_step(int64_t p) const { return channels * width(p); }
  // large[panel][frequency][channel][width of the panel]
  float* panel(int64_t p) const { return large + p * frequencies * u_step(0); }

  void run_by_chunks() const;
  void run_by_panels() const;
  void load(const Chunk& chunk, float* v, int64_t step, int64_t block, const std::vector<float>& zeros) const;
  void multiply(const Batch& batch, const BatchPlan& plan, int64_t share, float* memory, ChunkSums& into) const;
  void transform_weights() const;
  void depth(int64_t p, int64_t channel, int64_t n, const WinogradDepth& to) const;
  void store(const Chunk& chunk, int64_t panel, const WinogradProduct& product, ChunkSums& into, int64_t i) const;
};

Convolution::Convolution(int m, const Maps& source, const Maps& dest, WeightView weights, const float* given,
                         void* workspace, bool add, const LeftSums& left)
    : m(m), source(source), dest(dest), weights(weights), add(add), left(left), bias(static_cast<float*>(workspace)) {
  if (add) tiles.keep_near(from[0], cells);
  const int64_t padded = round_up(panels.channels, kWidestVector);
  large = bias + padded;
  std::fill(bias, bias + padded, 0.0f);
  if (given) std::copy(given, given + panels.channels, bias);
}

// The depth transform of n source channels of a panel, brought into the panel's order.
void Convolution::depth(int64_t p, int64_t channel, int64_t n, const WinogradDepth& to) const {
  const auto pack = simd_pack_weights();
  alignas(64) float taps[27 * kPiece * 2 * kWidestVector];
  const float* from = weights.data + channel * weights.source_stride + p * panels.width() * weights.dest_stride;
  for (int64_t t = 0; t < 27; t++, from += weights.tap_stride)
    pack(from, weights.dest_stride, weights.source_stride, n, panels.valid(p), width(p), taps + t * n * width(p));
  simd_winograd_depth()({taps, n * width(p), to.planes, to.z_stride, to.tap_stride});
}

// The input transform of a chunk's tiles: v[frequency][channel / lanes][tile][channel % lanes].
void Convolution::load(const Chunk& chunk, float* v, int64_t step, int64_t block,
                       const std::vector<float>& zeros) const {
  WinogradRun run{};
  run.v = v;
  run.frequency_stride = step;
  run.block_stride = block;
  load_tiles(from, tiles, chunk, zeros.data(), run);
}

// By pieces of one panel and kPiece source channels.
void Convolution::transform_weights() const {
  const int64_t pieces = (channels + kPiece - 1) / kPiece, plane = frequencies / 4;
  const auto transform = simd_winograd_plane();
  parallel_for(panels.count() * pieces, [&](int64_t i) {
    const int64_t p = i / pieces, c0 = i % pieces * kPiece, n = std::min(kPiece, channels - c0), size = n * width(p);
    alignas(64) float planes[4 * 9 * kPiece * 2 * kWidestVector];
    depth(p, c0, n, {nullptr, 0, planes, 9 * size, size});
    for (int64_t z = 0; z < 4; z++)
      transform(m, {planes + z * 9 * size, size, size, panel(p) + z * plane * u_step(p) + c0 * width(p), u_step(p)});
  });
}

// `product` holds the chunk, which is chunk i of `into`. Of a panel each destination takes what belongs to it.
void Convolution::store(const Chunk& chunk, int64_t p, const WinogradProduct& product, ChunkSums& into,
                        int64_t i) const {
  const auto transform = simd_winograd_output();
  alignas(64) float sums[3 * 2 * kWidestVector];
  WinogradOutput o{};
  o.m_frequency_stride = product.m_frequency_stride;
  o.add = add;
  o.sums = left ? sums : nullptr;
  const int64_t begin = p * panels.width(), end = begin + panels.valid(p);
  int64_t voxels = 0;
  for (int t = 0; t < chunk.tiles; t++) {
    const int64_t tile = tiles.at(chunk.first + t), entry = tiles.entry_of(tile);
    const Int3 at = tiles.first_voxel(tile), room = tiles.edge - at;
    o.room_z = static_cast<int>(std::min<int64_t>(room.z, 2));
    o.room_y = static_cast<int>(std::min<int64_t>(room.y, m));
    o.room_x = static_cast<int>(std::min<int64_t>(room.x, m));
    o.first = t == 0;
    int64_t first = 0;  // channel of the destination
    for (const CellView& part : to) {
      const int64_t a = std::max(begin, first), b = std::min(end, first + part.channels);
      if (a < b) {
        o.m = product.m + t * panels.width() + a - begin;
        o.bias = bias + a;
        o.y = part.voxel(entry, at) + a - first;
        o.z_stride = part.z_stride;
        o.y_stride = part.y_stride;
        o.x_stride = part.channels;
        o.channels = static_cast<int>(b - a);
        left.set(o, part.sample[entry], o.y - part.data, a);
        transform(m, o);
      }
      first += part.channels;
    }
    voxels += int64_t{o.room_z} * o.room_y * o.room_x;
  }
  into.set(i, begin, panels.valid(p), sums, panels.width(), voxels);
}

// Few chunks: threads share out the panels too. The input transform is then repeated; no result changes.
int64_t split_of(int64_t chunks, int64_t panels) {
  const int64_t threads = omp_get_max_threads();
  int64_t split = 1;
  while (split < panels && chunks * split < 4 * threads && chunks * split % threads) split++;
  return split;
}

// Few channels or many tiles: the weights are transformed once; chunks of tiles, private to a thread, meet all panels.
void Convolution::run_by_chunks() const {
  transform_weights();
  const std::vector<Chunk> chunks = chunks_of(cells, tiles, (m == 4 ? 1 : 2) * (shape.rows < 12 ? 12 : shape.rows));
  int most = 0;
  for (const Chunk& c : chunks) most = std::max(most, c.tiles);
  const int64_t blocks = (channels + shape.lanes - 1) / shape.lanes, v_block = most * shape.lanes,
                v_step = blocks * v_block + kSkew, m_step = most * panels.width() + kSkew;
  const TeamScratch scratch(frequencies * (v_step + m_step));
  const std::vector<float> zeros(zeros_for(tiles, most, channels));
  const auto multiply = simd_winograd_multiply();
  const int64_t split = split_of(static_cast<int64_t>(chunks.size()), panels.count());
  ChunkSums found(left, chunks.size(), panels.channels);
  parallel_for(static_cast<int64_t>(chunks.size()) * split, [&](int64_t i) {
    const Chunk& chunk = chunks[i / split];
    float *v = scratch.mine(), *product = v + frequencies * v_step;
    load(chunk, v, v_step, v_block, zeros);
    const int64_t part = i % split;
    for (int64_t p = part * panels.count() / split; p < (part + 1) * panels.count() / split; p++) {
      const WinogradProduct job{v,           v_step,      v_block,           panel(p), u_step(p), channels,
                                frequencies, chunk.tiles, panels.vectors(p), product,  m_step};
      multiply(job);
      store(chunk, p, job, found, i / split);
    }
  });
  found.merge(cells, tiles, chunks);
}

// Many channels and few tiles: the transformed weights would be far larger than everything else. All tiles of a batch
// are transformed first; then each panel's weights, one depth frequency after the other, in the L2 of one thread.
void Convolution::run_by_panels() const {
  const std::vector<Chunk> chunks = chunks_of(cells, tiles, kPieceTiles);
  const int64_t most = batch_of(m, chunks.back().first + chunks.back().tiles);
  const int64_t blocks = (channels + shape.lanes - 1) / shape.lanes, v_block = most * shape.lanes;
  const BatchPlan plan{(omp_get_max_threads() + panels.count() - 1) / panels.count(), v_block, blocks * v_block + kSkew,
                       channels * panels.width() + kSkew, most * panels.width() + kSkew};
  const TeamScratch scratch((4 * 9 + frequencies / 4) * plan.u_step + frequencies * plan.m_step);
  const std::vector<float> zeros(zeros_for(tiles, kPieceTiles, channels));
  ChunkSums found(left, chunks.size(), panels.channels);
  for (int64_t begin = 0; begin < static_cast<int64_t>(chunks.size());) {
    const Batch batch(chunks, begin, most);
    parallel_for(batch.size, [&](int64_t i) {
      load(batch.at(i), large + batch.place(i) * shape.lanes, plan.v_step, v_block, zeros);
    });
    parallel_for(panels.count() * plan.parts, [&](int64_t i) { multiply(batch, plan, i, scratch.mine(), found); });
    begin += batch.size;
  }
  found.merge(cells, tiles, chunks);
}

// Share i of a batch's products: chunks of one panel.
void Convolution::multiply(const Batch& batch, const BatchPlan& plan, int64_t i, float* memory, ChunkSums& into) const {
  const int64_t parts = plan.parts, p = i / parts, part = i % parts, plane = frequencies / 4;
  const int64_t first = batch.size * part / parts, end = batch.size * (part + 1) / parts;
  const int64_t a = batch.place(first), b = batch.place(end);
  if (a == b) return;
  float *planes = memory, *u = planes + 4 * 9 * plan.u_step, *product = u + plane * plan.u_step;
  for (int64_t c = 0; c < channels; c += kPiece)
    depth(p, c, std::min(kPiece, channels - c), {nullptr, 0, planes + c * width(p), 9 * plan.u_step, plan.u_step});
  WinogradProduct job{nullptr,           plan.v_step, plan.v_block, u,
                      plan.u_step,       channels,    plane,        static_cast<int>(b - a),
                      panels.vectors(p), product,     plan.m_step};
  for (int64_t z = 0; z < 4; z++) {
    simd_winograd_plane()(m, {planes + z * 9 * plan.u_step, plan.u_step, channels * width(p), u, plan.u_step});
    job.v = large + z * plane * plan.v_step + a * shape.lanes;
    job.m = product + z * plane * plan.m_step;
    simd_winograd_multiply()(job);
  }
  for (int64_t c = first; c < end; c++) {
    job.m = product + (batch.place(c) - a) * panels.width();
    store(batch.at(c), p, job, into, batch.begin + c);
  }
}

void convolve(const Convolution& c) {
  const int64_t tiles = c.tiles.before(static_cast<int64_t>(c.cells.cell.size()));
  if (c.left && tiles == 0) std::fill_n(c.left.to(), c.dest.layout.shape.samples() * 2 * c.panels.channels, 0.0f);
  if (tiles == 0) return;
  if (by_panels(c.m, tiles, c.channels, c.panels.channels)) c.run_by_panels();
  else c.run_by_chunks();
}

}  // namespace

void winograd_forward(int m, const Maps& x, const Tensor& weight, const float* bias, const Tensor& y, void* workspace,
                      float* moments) {
  const int64_t c = weight.layout.shape[1];
  convolve({m, x, y, {weight.f32(), c, 1, 27 * c}, bias, workspace, false, {moments}});
}

void winograd_add(int m, const Tensor& x, const Tensor& weight, const Tensor& y, void* workspace) {
  const int64_t c = weight.layout.shape[1];
  convolve({m, x, y, {weight.f32(), c, 1, 27 * c}, nullptr, workspace, true});
}

void winograd_grad_input(int m, const Tensor& gy, const Tensor& weight, const Maps& gx, void* workspace,
                         const NormSums& sums) {
  const int64_t c = weight.layout.shape[1];
  convolve({m, gy, gx, {weight.f32() + 26 * c, -c, 27 * c, 1}, nullptr, workspace, false, {nullptr, sums}});
}

}  // namespace voxelspark
