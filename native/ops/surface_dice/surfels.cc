// Marching cubes, the areas only. The surface crosses every edge of the cube whose ends differ, in its middle; on each
// face the crossings are joined so that foreground corners are kept apart where there is a choice (the same in both
// cubes at a face, so the surface is closed); the closed loops that result are spanned from their centroids.
#include <cmath>

#include "ops/surface_dice/surface_dice.h"

namespace voxelspark {

namespace {

using Point = std::array<double, 3>;  // x, y, z

double triangle(const Point& a, const Point& b, const Point& c) {
  const double u[3] = {b[0] - a[0], b[1] - a[1], b[2] - a[2]}, v[3] = {c[0] - a[0], c[1] - a[1], c[2] - a[2]};
  return std::hypot(u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]) / 2;
}

double polygon(const std::vector<Point>& loop) {
  Point centre = {0, 0, 0};
  for (const Point& p : loop)
    for (int k = 0; k < 3; k++) centre[k] += p[k] / static_cast<double>(loop.size());
  double area = 0;
  for (size_t i = 0; i < loop.size(); i++) area += triangle(centre, loop[i], loop[(i + 1) % loop.size()]);
  return area;
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

}  // namespace

static double surfel_area(int code, const std::vector<double>& spacing) {
  Loops loops(code);
  const auto middle = [&](int edge) {
    Point p;
    for (int k = 0; k < 3; k++) p[k] = ((edge / 8 >> k & 1) + (edge % 8 >> k & 1)) / 2.0 * spacing[2 - k];
    return p;
  };
  double area = 0;
  bool seen[64] = {};
  for (int start = 0; start < 64; start++) {
    if (loops.joined[start].empty() || seen[start]) continue;
    std::vector<Point> loop;
    for (int at = start, from = -1; !seen[at];) {
      seen[at] = true;
      loop.push_back(middle(at));
      const int next = loops.joined[at][0] != from ? loops.joined[at][0] : loops.joined[at][1];
      from = at;
      at = next;
    }
    area += polygon(loop);
  }
  return area;
}

std::array<double, 256> surfel_areas(const std::vector<double>& spacing) {
  std::array<double, 256> areas;
  for (int code = 0; code < 256; code++) areas[code] = surfel_area(code, spacing);
  return areas;
}

}  // namespace voxelspark
