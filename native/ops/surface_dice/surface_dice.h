// Surface Dice (normalised surface Dice, NSD) of regions at a tolerance in mm (method.md section 8): the share of both
// surfaces that lies within the tolerance of the other one, by area.
//
// The surface of a region passes between voxels: every place where 2x2x2 neighbouring voxels meet and some are inside
// is one surfel, at the common corner of the eight. Its area is that of the surface that marching cubes lays through
// the eight voxel centres (surfels.cc). Outside of the volume nothing is inside, so the volume's border closes a
// region. A surfel is within the tolerance when some surfel of the other region is no farther than that, spacing
// included: exactly what an exact Euclidean distance transform answers.
//
// areas (R, 4) in mm^2: prediction within, prediction in all, reference within, reference in all. Voxels whose
// reference label is the ignore label are outside in both. One sum in double a plane of surfels, added in order.
#pragma once
#include <array>

#include "ops/label_counts/label_counts.h"

namespace voxelspark {

constexpr int64_t kMostSurfelOffsets = 1 << 20;

struct SurfaceDice : Descriptor {
  Regions regions;
  std::vector<double> spacing;  // mm along z, y, x
  double tolerance = 1;         // mm

  void fields(FieldVisitor& v) override {
    regions.fields(v);
    v.field("spacing", spacing);
    v.field("tolerance", tolerance);
  }
  Layouts infer(const Inputs& in) const override {
    const std::string op = "surface_dice";
    require_label_pair(in, regions, op);
    require_shape(in[0].layout.shape.samples() == 1, op + ": one case at a time, got " + to_string(in[0].layout.shape));
    require(spacing.size() == 3, "SHAPE",
            op + ": spacing has " + std::to_string(spacing.size()) + " numbers, allowed are 3 (z, y, x)");
    for (double s : spacing)
      require(std::isfinite(s) && s > 0, "RANGE",
              op + ": spacing is " + std::to_string(s) + " mm, allowed is more than 0");
    require(std::isfinite(tolerance) && tolerance >= 0, "RANGE",
            op + ": tolerance is " + std::to_string(tolerance) + " mm, allowed is [0, inf)");
    double box = 1;
    for (double s : spacing) box *= 2 * std::floor(reach() / s) + 1;
    require(box <= kMostSurfelOffsets, "RANGE",
            op + ": a tolerance of " + std::to_string(tolerance) + " mm reaches over " + std::to_string(box) +
                " voxels of this spacing, allowed are " + std::to_string(kMostSurfelOffsets));
    return {plain(in[0].layout, {2, {regions.count(), 4}})};
  }
  // A distance equal to the tolerance counts, also after spacings were rounded to float32.
  double reach() const { return tolerance * (1 + 1e-6); }
  bool within(double z, double y, double x) const {
    z *= spacing[0], y *= spacing[1], x *= spacing[2];
    return z * z + y * y + x * x <= reach() * reach();
  }
};

// Area in mm^2 of the surfel of each of the 256 ways in which 2x2x2 voxels can be inside; bit 4 z + 2 y + x.
std::array<double, 256> surfel_areas(const std::vector<double>& spacing);

}  // namespace voxelspark
