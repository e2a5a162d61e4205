#include "ops/conv3d/lattice.h"

#include <algorithm>

namespace voxelspark {

static int64_t ceil_divide(int64_t a, int64_t b) { return a >= 0 ? (a + b - 1) / b : -(-a / b); }

Int3 Lattice::first_in(Int3 first) const {
  const Int3 d = first - offset;
  return {ceil_divide(d.z, step.z), ceil_divide(d.y, step.y), ceil_divide(d.x, step.x)};
}

Int3 Lattice::low() const {
  Int3 low = taps.empty() ? Int3{} : taps[0].at;
  for (const Tap& t : taps) low = {std::min(low.z, t.at.z), std::min(low.y, t.at.y), std::min(low.x, t.at.x)};
  return low;
}

Int3 Lattice::span() const {
  const Int3 low = this->low();
  Int3 high = low;
  for (const Tap& t : taps) high = {std::max(high.z, t.at.z), std::max(high.y, t.at.y), std::max(high.x, t.at.x)};
  return high - low;
}

std::vector<Lattice> forward_lattice(const ConvGeometry& g) {
  Lattice l{{1, 1, 1}, {0, 0, 0}, g.stride, {}};
  for (int64_t z = 0, i = 0; z < g.kernel.z; z++)
    for (int64_t y = 0; y < g.kernel.y; y++)
      for (int64_t x = 0; x < g.kernel.x; x++, i++) l.taps.push_back({Int3{z, y, x} - g.padding, i});
  return {l};
}

// Output o reads input p = o * stride + t - padding, so p = q * stride + r is read by o = q + (r + padding - t) /
// stride for the taps t that leave no remainder.
std::vector<Lattice> adjoint_lattices(const ConvGeometry& g, Int3 size) {
  std::vector<Lattice> classes;
  Int3 r;
  for (r.z = 0; r.z < std::min(g.stride.z, size.z); r.z++)
    for (r.y = 0; r.y < std::min(g.stride.y, size.y); r.y++)
      for (r.x = 0; r.x < std::min(g.stride.x, size.x); r.x++) {
        Lattice l{g.stride, r, {1, 1, 1}, {}};
        int64_t i = 0;
        for (int64_t z = 0; z < g.kernel.z; z++)
          for (int64_t y = 0; y < g.kernel.y; y++)
            for (int64_t x = 0; x < g.kernel.x; x++, i++) {
              const Int3 from = r + g.padding - Int3{z, y, x};
              if (divides(g.stride, from)) l.taps.push_back({from / g.stride, i});
            }
        classes.push_back(l);
      }
  return classes;
}

}  // namespace voxelspark
