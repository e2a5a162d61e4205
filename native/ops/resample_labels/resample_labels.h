// Affine resampling of label maps: y[p] = the label whose voxels have the most weight in the linear interpolation at
// M (p, 1), which is the argmax of linearly interpolated one-hot maps (method.md section 7.5). Ties go to the lowest
// label; places outside of [0, n-1] get a fixed value. Whole numbers of any sign, -1 included, are labels.
//
// Dense, one channel. Deterministic: each output voxel is written by one item of work.
#pragma once
#include "ops/resample/resample.h"
#include "ops/resample/row.h"

namespace voxelspark {

struct ResampleLabels : Descriptor {
  Int3 size;                   // of the output
  std::vector<double> matrix;  // 12 numbers, rows (z, y, x) of M
  double outside = -1;

  void fields(FieldVisitor& v) override {
    v.field("size", size);
    v.field("matrix", matrix);
    v.field("outside", outside);
  }
  Layouts infer(const Inputs& in) const override {
    const std::string op = "resample_labels";
    require_volume(op.c_str(), in[0], size);
    const Shape& s = in[0].layout.shape;
    require_shape(s.channels() == 1, op + ": labels are " + to_string(s) + ", allowed is one channel");
    require_shape(s.size().product() < kMostPlaces,
                  op + ": x is " + to_string(s) + ", allowed are fewer than 2^31 voxels a sample");
    require(matrix.size() == 12, "SHAPE",
            op + ": matrix has " + std::to_string(matrix.size()) + " numbers, allowed are 12");
    for (double v : matrix) require(std::isfinite(v), "RANGE", op + ": matrix holds a non-finite number");
    return {like(in[0].layout, feature_shape(s.samples(), 1, size))};
  }
};

}  // namespace voxelspark
