// Surface Dice (normalised surface Dice, NSD) of regions at a tolerance in mm (method.md section 8): the share of both
// surfaces that lies within the tolerance of the other one, by area.
//
// The surface of a region passes between voxels: every place where 2x2x2 neighbouring voxels meet and some are inside
// is one surfel, at the common corner of the eight. Its area is that of the surface that marching cubes lays through
// the eight voxel centres (surfels.h). Outside of the volume nothing is inside, so the volume's border closes a
// region. A surfel is within the tolerance when some surfel of the other region is no farther than that, spacing
// included: exactly what an exact Euclidean distance transform answers.
//
// areas (R, 4) in mm^2: prediction within, prediction in all, reference within, reference in all. Voxels whose
// reference label is the ignore label are outside in both. One sum in double a plane of surfels, added in order.
#pragma once
#include <algorithm>
#include <utility>

#include "core/text.h"
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
      require(std::isfinite(s) && s > 0, "RANGE", op + ": spacing is " + text_of(s) + " mm, allowed is more than 0");
    require(std::isfinite(tolerance) && tolerance >= 0, "RANGE",
            op + ": tolerance is " + text_of(tolerance) + " mm, allowed is [0, inf)");
    double box = 1;
    for (double s : spacing) box *= 2 * std::floor(reach() / s) + 1;
    require(box <= kMostSurfelOffsets, "RANGE",
            op + ": a tolerance of " + text_of(tolerance) + " mm reaches over " + text_of(box) +
                " voxels of this spacing, allowed are " + std::to_string(kMostSurfelOffsets));
    return {plain(in[0].layout, {2, {regions.count(), 4}})};
  }
  // A distance equal to the tolerance counts, also after spacings were rounded to float32.
  double reach() const { return tolerance * (1 + 1e-6); }
  double square(double z, double y, double x) const {  // of a distance in mm, from voxels
    z *= spacing[0], y *= spacing[1], x *= spacing[2];
    return z * z + y * y + x * x;
  }
  bool within(double z, double y, double x) const { return square(z, y, x) <= reach() * reach(); }
  // As many places as steps_within() looks at; infer() keeps it small.
  int64_t places_around() const {
    int64_t box = 1;
    for (double s : spacing) box *= 2 * static_cast<int64_t>(std::floor(reach() / s)) + 1;
    return box;
  }
  int64_t cuda_workspace(const Inputs& in) const override;
};

// What CUDA keeps, one region at a time: tables, the codes of both volumes, areas of fixed splits.
struct SurfaceParts {
  uint32_t* bits;   // of all regions
  int32_t* steps;   // z, y, x of each
  double* area_of;  // by code
  uint8_t* codes;   // [prediction, reference][corner]
  double* partial;  // [prediction, reference][split][within, all]

  static int64_t corners(Int3 size) { return (size + Int3{1, 1, 1}).product(); }
  SurfaceParts(Parts& parts, const SurfaceDice& op, Int3 size)
      : bits(parts.take<uint32_t>(op.regions.count() * CountParts::kWords)),
        steps(parts.take<int32_t>(3 * op.places_around())),
        area_of(parts.take<double>(256)),
        codes(parts.take<uint8_t>(2 * corners(size))),
        partial(parts.take<double>(4 * ElementSplits::of(corners(size)).splits)) {}
};
inline int64_t SurfaceDice::cuda_workspace(const Inputs& in) const {
  Parts parts;
  SurfaceParts(parts, *this, in[0].layout.shape.size());
  return parts.bytes();
}

// Steps from a surfel to all places within the tolerance, the nearest first.
inline std::vector<Int3> steps_within(const SurfaceDice& op) {
  std::vector<std::pair<double, Int3>> found;
  const auto most = [&](int axis) { return static_cast<int64_t>(std::floor(op.reach() / op.spacing[axis])); };
  for (int64_t z = -most(0); z <= most(0); z++)
    for (int64_t y = -most(1); y <= most(1); y++)
      for (int64_t x = -most(2); x <= most(2); x++) {
        const auto dz = static_cast<double>(z), dy = static_cast<double>(y), dx = static_cast<double>(x);
        if (op.within(dz, dy, dx)) found.push_back({op.square(dz, dy, dx), {z, y, x}});
      }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Int3> steps;
  for (const auto& [distance, step] : found) steps.push_back(step);
  return steps;
}

}  // namespace voxelspark
