#include "core/voxel_access.h"
#include "ops/surface_dice/surface_dice.h"
#include "ops/surface_dice/surfels.h"

namespace voxelspark {

namespace {

struct Surfel {
  Int3 at;
  double area;
};

// Every pair of surfels is compared.
void measure(const SurfaceDice& op, const std::vector<Surfel>& of, const std::vector<Surfel>& other, double* areas) {
  for (const Surfel& s : of) {
    bool near = false;
    for (const Surfel& o : other) {
      const Int3 d = s.at - o.at;
      near = near || op.within(static_cast<double>(d.z), static_cast<double>(d.y), static_cast<double>(d.x));
    }
    areas[0] += near ? s.area : 0;
    areas[1] += s.area;
  }
}

}  // namespace

void surface_dice_reference(const Descriptor& d, const Launch& l) {
  const auto& op = as<SurfaceDice>(d);
  const auto area_of = surfel_areas(op.spacing);
  const Int3 size = l.inputs[0].layout.shape.size();
  by_dtype(l.inputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const VoxelAccess<T> volumes[2] = {{l.inputs[0].layout, l.inputs[0].as<T>()},
                                       {l.inputs[1].layout, l.inputs[1].as<T>()}};
    for (int64_t r = 0; r < op.regions.count(); r++) {
      const auto inside = [&](int side, int64_t z, int64_t y, int64_t x) {
        const T* label = volumes[side].at(0, z, y, x);
        return label && !op.regions.ignores(*volumes[1].at(0, z, y, x)) && op.regions.holds(r, *label);
      };
      std::vector<Surfel> surfels[2];
      for (int side = 0; side < 2; side++)
        for (int64_t z = 0; z <= size.z; z++)
          for (int64_t y = 0; y <= size.y; y++)
            for (int64_t x = 0; x <= size.x; x++) {
              int code = 0;
              for (int k = 0; k < 8; k++)
                code |= inside(side, z - 1 + (k >> 2), y - 1 + (k >> 1 & 1), x - 1 + (k & 1)) << k;
              if (code != 0 && code != 255) surfels[side].push_back({{z, y, x}, area_of[code]});
            }
      double areas[4] = {0, 0, 0, 0};
      measure(op, surfels[0], surfels[1], areas);
      measure(op, surfels[1], surfels[0], areas + 2);
      for (int i = 0; i < 4; i++) l.outputs[0].as<T>()[r * 4 + i] = static_cast<T>(areas[i]);
    }
  });
}

}  // namespace voxelspark
