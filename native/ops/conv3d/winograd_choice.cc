// Which convolutions run as Winograd convolutions, and in which tiles: those that it makes faster.
#include <algorithm>

#include "ops/conv3d/winograd.h"
#include "ops/conv3d/winograd_cells.h"

namespace voxelspark {

constexpr int64_t kFewestChannels = 8;

// Nanoseconds per pair of channels: `items` tiles or voxels of so many multiplications, at the rate that the engine
// reaches (measured on AVX-512, transforms included), and the preparation of the weights or of their sums.
static double cost_of(int64_t items, int64_t multiplications, double per_nanosecond, double preparation) {
  return multiplications * (items / per_nanosecond + preparation);
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
  const double direct = cost_of(cells * edge.product(), 27, 80, 0.9),
               f2 = cost_of(cells * Tiles(edge, 2).per_cell(), frequencies_of(2), 50, 0.5),
               f4 = cost_of(cells * Tiles(edge, 4).per_cell(), frequencies_of(4), 42, 0.25);
  if (allowed == kWinogradF4 && f4 < std::min(f2, direct)) return 4;
  return f2 < direct ? 2 : 0;
}

int winograd_grad_weight_tile(int64_t allowed, const ConvGeometry& g, const Layout& x, const Layout& gy) {
  if (!possible(allowed, g)) return 0;
  if (forced(allowed)) return allowed == kForceF4 ? 4 : 2;
  if (too_narrow(x, gy)) return 0;
  const int64_t cells = Cells::count(gy, x);
  const Int3 edge = Cells::edge_of(gy, x);
  const double direct = cost_of(cells * edge.product(), 27, 85, 0),
               f2 = cost_of(cells * Tiles(edge, 2).per_cell(), frequencies_of(2), 47, 0.9),
               f4 = cost_of(cells * Tiles(edge, 4).per_cell(), frequencies_of(4), 34, 0.8);
  if (allowed == kWinogradF4 && f4 < std::min(f2, direct)) return 4;
  return f2 < direct ? 2 : 0;
}

}  // namespace voxelspark
