#include "ops/conv3d/winograd.h"

#include <algorithm>

#include "device/parallel.h"
#include "device/scratch.h"
#include "ops/conv3d/winograd_cells.h"

namespace voxelspark {

constexpr int64_t kWidestVector = 16;
constexpr int64_t kFewestChannels = 8;
constexpr int64_t kSkew = 16;  // keeps the frequencies of a channel off the same cache sets

static int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
static int64_t frequencies_of(int m) { return 4 * (m + 2) * (m + 2); }

// Nanoseconds per pair of channels: `items` tiles or voxels of so many multiplications, at the rate that the engine
// reaches (measured on AVX-512, transforms included), and 4 bytes a multiplication to prepare the weights.
static double cost_of(int64_t items, int64_t multiplications, double per_nanosecond) {
  return multiplications * (items / per_nanosecond + 1.0);
}

static bool possible(int64_t allowed, const ConvGeometry& g) {
  const Int3 one{1, 1, 1}, three{3, 3, 3};
  return allowed != kWinogradOff && g.kernel == three && g.stride == one && g.padding == one;
}
static bool forced(int64_t allowed) { return allowed == kForceF2 || allowed == kForceF4; }
static bool too_narrow(const Layout& a, const Layout& b) {
  return std::min(a.channels(), b.channels()) < kFewestChannels;
}

int winograd_tile(int64_t allowed, const ConvGeometry& g, const Layout& source, const Layout& dest) {
  if (!possible(allowed, g)) return 0;
  if (forced(allowed)) return allowed == kForceF4 ? 4 : 2;
  if (too_narrow(source, dest)) return 0;
  const int64_t cells = Cells::count(dest, source);
  const Int3 edge = Cells::edge_of(dest, source);
  const double direct = cost_of(cells * edge.product(), 27, 80),
               f2 = cost_of(cells * Tiles(edge, 2).per_cell(), frequencies_of(2), 55),
               f4 = cost_of(cells * Tiles(edge, 4).per_cell(), frequencies_of(4), 42);
  if (allowed == kWinogradF4 && f4 < std::min(f2, direct)) return 4;
  return f2 < direct ? 2 : 0;
}

bool winograd_grad_weight_pays(int64_t allowed, const ConvGeometry& g, const Layout& x, const Layout& gy) {
  if (!possible(allowed, g) || forced(allowed)) return possible(allowed, g);
  if (too_narrow(x, gy)) return false;
  const int64_t cells = Cells::count(gy, x);
  const Int3 edge = Cells::edge_of(gy, x);
  return cost_of(cells * Tiles(edge, 2).per_cell(), frequencies_of(2), 47) < cost_of(cells * edge.product(), 27, 75);
}

int64_t winograd_workspace(int m, int64_t source_channels, int64_t dest_channels) {
  return 4 * (frequencies_of(m) * source_channels + 1) * round_up(dest_channels, kWidestVector);
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

// to[c][0 .. valid) = one tap of n source channels.
void copy_piece(const float* from, const WeightView& w, int64_t n, int64_t valid, float* to, int64_t width) {
  if (w.dest_stride == 1)
    for (int64_t c = 0; c < n; c++)
      for (int64_t k = 0; k < valid; k++) to[c * width + k] = from[c * w.source_stride + k];
  else
    for (int64_t k = 0; k < valid; k++)
      for (int64_t c = 0; c < n; c++) to[c * width + k] = from[k * w.dest_stride + c];
}

struct Convolution {
  int m;
  const Tensor &source, &dest;
  WeightView weights;
  const float* given_bias;

  const WinogradShape shape = simd_winograd_shape()();
  const Panels panels{dest.layout.channels(), shape.lanes};
  const int64_t channels = source.layout.channels(), frequencies = frequencies_of(m);
  const Cells cells{dest.layout, source.layout};
  const Tiles tiles{cells.edge, m};
  const CellView from{source, cells}, to{dest, cells};
  float* u = nullptr;     // [panel][frequency][channel][width of the panel]
  float* bias = nullptr;  // padded

  int64_t u_step(int64_t p) const { return channels * panels.vectors(p) * shape.lanes; }
  float* panel(int64_t p) const { return u + p * frequencies * u_step(0); }
  void place(void* workspace);
  void transform_weights() const;
  void run() const;
  void store(const Chunk& chunk, int64_t panel, const WinogradProduct& product) const;
};

void Convolution::place(void* workspace) {
  const int64_t width = round_up(panels.channels, kWidestVector);
  u = static_cast<float*>(workspace);
  bias = u + frequencies * channels * width;
  std::fill(bias, bias + width, 0.0f);
  if (given_bias) std::copy(given_bias, given_bias + panels.channels, bias);
}

// By pieces of one panel and kPiece source channels, first brought into the panel's order.
void Convolution::transform_weights() const {
  constexpr int64_t kPiece = kWinogradPiece / (2 * kWidestVector);
  const int64_t pieces = (channels + kPiece - 1) / kPiece;
  const auto transform = simd_winograd_weights();
  parallel_for(panels.count() * pieces, [&](int64_t i) {
    const int64_t p = i / pieces, c0 = i % pieces * kPiece, n = std::min(kPiece, channels - c0),
                  width = panels.vectors(p) * shape.lanes, valid = panels.valid(p);
    alignas(64) float taps[27 * kWinogradPiece];
    if (valid < width) std::fill(taps, taps + 27 * n * width, 0.0f);
    const float* from = weights.data + c0 * weights.source_stride + p * panels.width() * weights.dest_stride;
    for (int64_t t = 0; t < 27; t++, from += weights.tap_stride)
      copy_piece(from, weights, n, valid, taps + t * n * width, width);
    transform(m, {taps, n, panel(p) + c0 * width, u_step(p), width});
  });
}

void Convolution::store(const Chunk& chunk, int64_t p, const WinogradProduct& product) const {
  const auto transform = simd_winograd_output();
  WinogradOutput o{};
  o.m_frequency_stride = product.m_frequency_stride;
  o.bias = bias + p * panels.width();
  o.z_stride = to.z_stride;
  o.y_stride = to.y_stride;
  o.x_stride = to.channels;
  o.channels = static_cast<int>(panels.valid(p));
  for (int t = 0; t < chunk.tiles; t++) {
    const int64_t tile = chunk.first + t;
    const Int3 at = tiles.first_voxel(tile), room = tiles.edge - at;
    o.m = product.m + t * panels.width();
    o.y = to.voxel(tiles.entry_of(tile), at) + p * panels.width();
    o.room_z = static_cast<int>(std::min<int64_t>(room.z, 2));
    o.room_y = static_cast<int>(std::min<int64_t>(room.y, m));
    o.room_x = static_cast<int>(std::min<int64_t>(room.x, m));
    transform(m, o);
  }
}

// Few chunks: threads share out the panels too. The input transform is then repeated; no result changes.
int64_t split_of(int64_t chunks, int64_t panels) {
  const int64_t threads = omp_get_max_threads();
  int64_t split = 1;
  while (split < panels && chunks * split < 4 * threads && chunks * split % threads) split++;
  return split;
}

void Convolution::run() const {
  const std::vector<Chunk> chunks = chunks_of(cells, tiles, shape.rows == 14 ? (m == 4 ? 14 : 28) : (m == 4 ? 12 : 24));
  int most = 0;
  for (const Chunk& c : chunks) most = std::max(most, c.tiles);
  const int64_t blocks = (channels + shape.lanes - 1) / shape.lanes, v_block = most * shape.lanes,
                v_step = blocks * v_block + kSkew, m_step = most * panels.width() + kSkew;
  const TeamScratch scratch(frequencies * (v_step + m_step));
  const std::vector<float> zeros(zeros_for(tiles, most, channels));
  const auto multiply = simd_winograd_multiply();
  const int64_t split = split_of(static_cast<int64_t>(chunks.size()), panels.count());
  parallel_for(static_cast<int64_t>(chunks.size()) * split, [&](int64_t i) {
    const Chunk& chunk = chunks[i / split];
    float *v = scratch.mine(), *product = v + frequencies * v_step;
    WinogradRun run{};
    run.v = v;
    run.frequency_stride = v_step;
    run.block_stride = v_block;
    load_tiles(from, tiles, chunk, zeros.data(), run);
    const int64_t part = i % split;
    for (int64_t p = part * panels.count() / split; p < (part + 1) * panels.count() / split; p++) {
      const WinogradProduct job{v,           v_step,      v_block,           panel(p), u_step(p), channels,
                                frequencies, chunk.tiles, panels.vectors(p), product,  m_step};
      multiply(job);
      store(chunk, p, job);
    }
  });
}

void convolve(Convolution&& c, void* workspace) {
  c.place(workspace);
  c.transform_weights();
  c.run();
}

}  // namespace

void winograd_forward(int m, const Tensor& x, const Tensor& weight, const float* bias, const Tensor& y,
                      void* workspace) {
  const int64_t c = weight.layout.shape[1];
  convolve({m, x, y, {weight.f32(), c, 1, 27 * c}, bias}, workspace);
}

void winograd_grad_input(int m, const Tensor& gy, const Tensor& weight, const Tensor& gx, void* workspace) {
  const int64_t c = weight.layout.shape[1];
  convolve({m, gy, gx, {weight.f32() + 26 * c, -c, 27 * c, 1}, nullptr}, workspace);
}

}  // namespace voxelspark
