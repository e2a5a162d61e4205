// Which convolutions run as Winograd convolutions, and in which tiles: those that it makes faster.
#include <algorithm>

#include "ops/conv3d/winograd.h"
#include "ops/conv3d/winograd_cells.h"

namespace voxelspark {

constexpr int64_t kFewestChannels = 8;

// Nanoseconds that an engine takes per pair of channels and multiplication: for a tile or voxel, and to prepare the
// weights or bring home their sums.
struct Rate {
  double per_item, preparation;
  double cost(int64_t items, int64_t multiplications) const {
    return multiplications * (items * per_item + preparation);
  }
};
struct Rates {
  Rate direct, f2, f4;
};
// Measured on AVX-512 with two threads, transforms included.
constexpr Rates kConvolution{{1.0 / 80, 0.9}, {1.0 / 50, 0.5}, {1.0 / 42, 0.25}};
constexpr Rates kWeightGradient{{1.0 / 85, 0}, {1.0 / 47, 0.9}, {1.0 / 34, 0.8}};

static bool possible(int64_t allowed, const ConvGeometry& g) {
  const Int3 one{1, 1, 1}, three{3, 3, 3};
  return allowed != kWinogradOff && g.kernel == three && g.stride == one && g.padding == one;
}

static int fastest(int64_t allowed, const ConvGeometry& g, const Layout& source, const Layout& dest, const Rates& r) {
  if (!possible(allowed, g)) return 0;
  if (allowed == kForceF2 || allowed == kForceF4) return allowed == kForceF4 ? 4 : 2;
  if (std::min(source.channels(), dest.channels()) < kFewestChannels) return 0;
  const int64_t cells = Cells::count(dest, source);
  const Int3 edge = Cells::edge_of(dest, source);
  const double direct = r.direct.cost(cells * edge.product(), 27),
               f2 = r.f2.cost(cells * Tiles(edge, 2).per_cell(), frequencies_of(2)),
               f4 = r.f4.cost(cells * Tiles(edge, 4).per_cell(), frequencies_of(4));
  if (allowed == kWinogradF4 && f4 < std::min(f2, direct)) return 4;
  return f2 < direct ? 2 : 0;
}

int winograd_tile(int64_t allowed, const ConvGeometry& g, const Layout& source, const Layout& dest) {
  return fastest(allowed, g, source, dest, kConvolution);
}

int winograd_grad_weight_tile(int64_t allowed, const ConvGeometry& g, const Layout& x, const Layout& gy) {
  return fastest(allowed, g, x, gy, kWeightGradient);
}

}  // namespace voxelspark
