// Marching cubes, the areas only. The surface crosses every edge of the cube whose ends differ, in its middle; on each
// face the crossings are joined so that the fewer kind of corners is kept apart where there is a choice. The closed
// loops that result are cut into triangles. Two kinds of loops do not lie in a plane, so that their area depends on the
// cut: it is the one with the largest area for cubic voxels, which gives the areas of google-deepmind/surface-distance.
#pragma once
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/host_device.h"

namespace voxelspark {

namespace surfels {

using Point = std::array<double, 3>;  // x, y, z

inline double triangle(const Point& a, const Point& b, const Point& c) {
  const double u[3] = {b[0] - a[0], b[1] - a[1], b[2] - a[2]}, v[3] = {c[0] - a[0], c[1] - a[1], c[2] - a[2]};
  return std::hypot(u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]) / 2;
}

// The cut of points i … j of a loop into triangles whose area for cubic voxels is largest; that area, and the true one.
struct Cut {
  double cubic = 0, area = 0;
};

inline Cut best_cut(const std::vector<Point>& cubic, const std::vector<Point>& loop, size_t i, size_t j) {
  Cut best;
  for (size_t k = i + 1; k < j; k++) {
    const Cut left = best_cut(cubic, loop, i, k), right = best_cut(cubic, loop, k, j);
    const double sum = left.cubic + right.cubic + triangle(cubic[i], cubic[k], cubic[j]);
    if (sum > best.cubic + 1e-9) best = {sum, left.area + right.area + triangle(loop[i], loop[k], loop[j])};
  }
  return best;
}

// Corners are numbers whose bit k says on which side of axis k (x, y, z) they lie; an edge is corner * 8 + corner.
struct Loops {
  std::vector<int> joined[64];

  explicit Loops(int code) {
    for (int axis = 0; axis < 3; axis++)
      for (int side = 0; side < 2; side++) face(code, side << axis, 1 << (axis + 1) % 3, 1 << (axis + 2) % 3);
  }
  void face(int code, int base, int u, int v) {
    const int corner[4] = {base, base | u, base | u | v, base | v};
    std::vector<int> crossings;
    for (int i = 0; i < 4; i++)
      if (differ(code, corner[i], corner[(i + 1) % 4])) crossings.push_back(edge(corner[i], corner[(i + 1) % 4]));
    if (crossings.size() == 2) join(crossings[0], crossings[1]);
    for (int i = 0; crossings.size() == 4 && i < 4; i++)
      if (code >> corner[i] & 1) join(edge(corner[i], corner[(i + 1) % 4]), edge(corner[(i + 3) % 4], corner[i]));
  }
  static bool differ(int code, int a, int b) { return (code >> a & 1) != (code >> b & 1); }
  static int edge(int a, int b) { return a < b ? a * 8 + b : b * 8 + a; }
  void join(int a, int b) {
    joined[a].push_back(b);
    joined[b].push_back(a);
  }
};

inline double surfel_area(int code, const std::vector<double>& spacing) {
  const bool mostly_inside = __builtin_popcount(static_cast<unsigned>(code)) > 4;
  const Loops loops(mostly_inside ? 255 - code : code);
  const auto middle = [&](int edge, double x, double y, double z) {
    const double size[3] = {x, y, z};
    Point p;
    for (int k = 0; k < 3; k++) p[k] = ((edge / 8 >> k & 1) + (edge % 8 >> k & 1)) / 2.0 * size[k];
    return p;
  };
  double area = 0;
  bool seen[64] = {};
  for (int start = 0; start < 64; start++) {
    if (loops.joined[start].empty() || seen[start]) continue;
    std::vector<Point> loop, cubic;
    for (int at = start, from = -1; !seen[at];) {
      seen[at] = true;
      cubic.push_back(middle(at, 1, 1, 1));
      loop.push_back(middle(at, spacing[2], spacing[1], spacing[0]));
      const int next = loops.joined[at][0] != from ? loops.joined[at][0] : loops.joined[at][1];
      from = at;
      at = next;
    }
    area += best_cut(cubic, loop, 0, loop.size() - 1).area;
  }
  return area;
}

}  // namespace surfels

// Of 2x2x2 voxels, some inside and some not.
HOST_DEVICE inline bool is_surface(uint8_t code) { return code != 0 && code != 255; }

// Area in mm^2 of the surfel of each of the 256 ways in which 2x2x2 voxels can be inside; bit 4 z + 2 y + x.
inline std::array<double, 256> surfel_areas(const std::vector<double>& spacing) {
  std::array<double, 256> areas;
  for (int code = 0; code < 256; code++) areas[code] = surfels::surfel_area(code, spacing);
  return areas;
}

}  // namespace voxelspark
