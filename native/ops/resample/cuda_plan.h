// The workspaces of the CUDA kernels.
#pragma once
#include "device/parts.h"
#include "ops/reduce/voxel_splits.h"
#include "ops/resample/band.h"
#include "ops/resample/passes.h"
#include "ops/resample/slices.h"

namespace voxelspark {

struct BandParts {
  int32_t* first;
  float* weight;

  BandParts(Parts& parts, int64_t rows, int64_t columns)
      : first(parts.take<int32_t>(rows)), weight(parts.take<float>(rows * widest_band(rows, columns))) {}
};

// Pairs of floats, low and high: of every split of every group, and of every group.
struct RangeParts {
  float *partial, *ranges;

  RangeParts(Parts& parts, const Slices& s)
      : partial(parts.take<float>(2 * s.groups() * ElementSplits::of(s.voxels()).splits)),
        ranges(parts.take<float>(2 * s.groups())) {}
};

struct SeparableParts {
  float* half[2];
  std::vector<BandParts> bands;  // of each pass
  RangeParts clip;

  SeparableParts(Parts& parts, const ResampleSeparable& op, const Shape& from)
      : SeparableParts(parts, op, from, {op, from.size()}) {}

 private:
  SeparableParts(Parts& parts, const ResampleSeparable& op, const Shape& from, const Passes& passes)
      : half{parts.take<float>(passes.largest(from, op.size)), parts.take<float>(passes.largest(from, op.size))},
        clip(parts, Slices::of(from.samples(), from.channels(), from.size(), op.clip_axis)) {
    int64_t n[3], m[3];
    sizes_of(from.size(), n);
    sizes_of(op.size, m);
    for (int p = 0; p < passes.count; p++) bands.emplace_back(parts, m[passes.axis[p]], n[passes.axis[p]]);
  }
};

struct SeparableBackwardParts {
  float* half[2];
  std::vector<BandParts> bands;  // of each axis

  SeparableBackwardParts(Parts& parts, const ResampleSeparableBackward& op, const Inputs& in) {
    for (float*& h : half) h = parts.take<float>(op.workspace(in) / (2 * static_cast<int64_t>(sizeof(float))));
    int64_t n[3], m[3];
    sizes_of(op.from, n);
    sizes_of(in[0].layout.shape.size(), m);
    for (int a = 0; a < 3; a++) bands.emplace_back(parts, n[a], m[a]);
  }
};

// Spline coefficients of a volume, or the gradient of them: two volumes and the filters of the axes.
struct AffineParts {
  float* volume[2];
  std::vector<BandParts> bands;

  AffineParts(Parts& parts, int64_t order, int64_t samples, int64_t channels, Int3 size) {
    int64_t n[3];
    sizes_of(size, n);
    for (float*& v : volume) v = parts.take<float>(order == 3 ? samples * channels * size.product() : 0);
    for (int a = 0; a < 3 && order == 3; a++) bands.emplace_back(parts, n[a], n[a]);
  }
};

}  // namespace voxelspark
