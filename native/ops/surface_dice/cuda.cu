// Region by region: the code of every corner in both volumes, then the areas of surfels, found near the other surface
// or not, in fixed splits that are added in order.
#include "ops/label_counts/cuda_labels.cuh"
#include "ops/reduce/cuda_reduce.cuh"
#include "ops/reduce/cuda_splits.cuh"
#include "ops/surface_dice/cuda_corners.cuh"
#include "ops/surface_dice/surface_dice.h"
#include "ops/surface_dice/surfels.h"

namespace voxelspark {

namespace {

struct MakeCodes {
  Corners corners;
  RegionBits region;
  const float *prediction, *reference;
  uint8_t* codes;

  __device__ void operator()(int64_t i) const {
    const Voxel corner = corners.at(i);
    unsigned predicted = 0, wanted = 0;
    for (int k = 0; k < 8; k++) {
      const int64_t voxel = corners.voxel(corner, k);
      if (voxel < 0 || !region.counts(reference[voxel])) continue;
      predicted |= static_cast<unsigned>(region.holds(label_of(prediction[voxel]))) << k;
      wanted |= static_cast<unsigned>(region.holds(label_of(reference[voxel]))) << k;
    }
    codes[i] = static_cast<uint8_t>(predicted);
    codes[corners.count() + i] = static_cast<uint8_t>(wanted);
  }
};

struct Step {
  int32_t z, y, x;
};

struct Surfaces {
  Corners corners;
  const uint8_t* codes;
  const double* area_of;
  const Step* steps;  // the nearest first
  int64_t step_count, splits, split;

  __device__ bool reaches(const uint8_t* other, int64_t i) const {
    const Voxel from = corners.at(i);
    for (int64_t s = 0; s < step_count; s++) {
      const int64_t at = corners.find(from.z + steps[s].z, from.y + steps[s].y, from.x + steps[s].x);
      if (at >= 0 && is_surface(other[at])) return true;
    }
    return false;
  }
};

// partial: [side][split][within, all]
__global__ void surface_partials(Surfaces s, double* partial) {
  const int64_t count = s.corners.count(), begin = blockIdx.x * s.split;
  const int64_t end = begin + s.split < count ? begin + s.split : count;
  const uint8_t *own = s.codes + blockIdx.y * count, *other = s.codes + (1 - blockIdx.y) * count;
  double within = 0, all = 0;
  for (int64_t i = begin + threadIdx.x; i < end; i += kReduceThreads) {
    if (!is_surface(own[i])) continue;
    const double area = s.area_of[own[i]];
    all += area;
    if (s.reaches(other, i)) within += area;
  }
  within = sum_of_block(within);
  all = sum_of_block(all);
  if (threadIdx.x != 0) return;
  double* to = partial + (blockIdx.y * s.splits + blockIdx.x) * 2;
  to[0] = within;
  to[1] = all;
}

}  // namespace

void surface_dice_cuda(const Descriptor& d, const Launch& l) {
  const auto& op = as<SurfaceDice>(d);
  const Int3 size = l.inputs[0].layout.shape.size();
  Parts parts(l.workspace);
  const SurfaceParts memory(parts, op, size);
  std::vector<Step> steps;
  for (const Int3& s : steps_within(op))
    steps.push_back({static_cast<int32_t>(s.z), static_cast<int32_t>(s.y), static_cast<int32_t>(s.x)});
  const auto areas = surfel_areas(op.spacing);
  upload(region_bits(op.regions), memory.bits, "a copy of the regions");
  upload(steps, reinterpret_cast<Step*>(memory.steps), "a copy of the steps");
  upload(std::vector<double>(areas.begin(), areas.end()), memory.area_of, "a copy of the areas");
  const Corners corners{extent(size)};
  const ElementSplits splits = ElementSplits::of(corners.count());
  const Surfaces surfaces{corners,
                          memory.codes,
                          memory.area_of,
                          reinterpret_cast<const Step*>(memory.steps),
                          static_cast<int64_t>(steps.size()),
                          splits.splits,
                          splits.elements};
  for (int64_t r = 0; r < op.regions.count(); r++) {
    const MakeCodes codes{corners, region_of(op.regions, memory.bits, r), l.inputs[0].f32(), l.inputs[1].f32(),
                          memory.codes};
    launch_elementwise(corners.count(), codes, "surface_dice");
    LAUNCH_KERNEL(surface_partials, dim3(static_cast<unsigned>(splits.splits), 2), kReduceThreads, surfaces,
                  memory.partial);
    add_splits(memory.partial, 2, splits.splits, 2, l.outputs[0].f32() + r * 4, "surface_dice");
  }
}

}  // namespace voxelspark
