// Resampling of volumes by interpolation: nearest (order 0), linear (1) or cubic B-spline with prefilter (3).
//
// separable: every axis is resized on its own with pixel-centre mapping x_in = (x_out + 1/2) n_in / n_out - 1/2 and
//   edge extension, as skimage.transform.resize(mode="edge", anti_aliasing=False) does (method.md 6.3).
// affine: y[p] = x(M (p, 1)) for output voxel p = (z, y, x) and a 3x4 matrix M to input voxels; places outside of
//   [0, n-1] get a fixed value, as scipy.ndimage.map_coordinates(mode="constant") does (method.md 6.7).
//
// Dense feature maps only, channels last. Deterministic: each output voxel is written by one item of work.
#pragma once
#include <algorithm>
#include <cmath>

#include "ops/kernel.h"

namespace voxelspark {

inline bool is_order(int64_t order) { return order == 0 || order == 1 || order == 3; }

inline void require_volume(const char* op, const Tensor& x, Int3 size) {
  const Shape& s = x.layout.shape;
  require_shape(s.rank == 5 && !x.layout.grid, std::string(op) + " needs a dense (N, C, D, H, W), got " + to_string(s));
  require(size.z > 0 && size.y > 0 && size.x > 0, "RANGE",
          std::string(op) + ": size is " + to_string(size) + ", allowed is at least 1 an axis");
  require(s.elements() > 0, "SHAPE", std::string(op) + " needs at least one voxel, got " + to_string(s));
}

struct ResampleSeparable : Descriptor {
  Int3 size;               // of the output
  Int3 order = {3, 3, 3};  // per axis
  bool clip = true;        // keep the range of the input, per sample and channel
  int64_t clip_axis = -1;  // 0, 1, 2: keep the range of each slice along that axis instead, which must be nearest

  void fields(FieldVisitor& v) override {
    v.field("size", size);
    v.field("order", order);
    v.field("clip", clip);
    v.field("clip_axis", clip_axis);
  }
  Layouts infer(const Inputs& in) const override {
    require_volume("resample_separable", in[0], size);
    require(is_order(order.z) && is_order(order.y) && is_order(order.x), "RANGE",
            "resample_separable: order is " + to_string(order) + ", allowed are 0, 1 and 3");
    require(clip_axis >= -1 && clip_axis <= 2, "RANGE",
            "resample_separable: clip_axis is " + std::to_string(clip_axis) + ", allowed is -1 to 2");
    const int64_t orders[3] = {order.z, order.y, order.x};
    require(clip_axis < 0 || orders[clip_axis] == 0, "RANGE",
            "resample_separable: the axis clip_axis must have order 0");
    const Shape& s = in[0].layout.shape;
    return {like(in[0].layout, feature_shape(s.samples(), s.channels(), size))};
  }
  int64_t workspace(const Inputs& in) const override;
  int64_t cuda_workspace(const Inputs& in) const override;
};

struct ResampleAffine : Descriptor {
  Int3 size;                   // of the output
  std::vector<double> matrix;  // 12 numbers, rows (z, y, x) of M; or 12 for each sample
  int64_t order = 3;
  double outside = 0;

  void fields(FieldVisitor& v) override {
    v.field("size", size);
    v.field("matrix", matrix);
    v.field("order", order);
    v.field("outside", outside);
  }
  Layouts infer(const Inputs& in) const override {
    require_volume("resample_affine", in[0], size);
    const Shape& s = in[0].layout.shape;
    const size_t n = matrix.size();
    require(n == 12 || n == 12 * static_cast<size_t>(s.samples()), "SHAPE",
            "resample_affine: matrix has " + std::to_string(n) + " numbers, allowed are 12 or 12 for each sample");
    for (double v : matrix) require(std::isfinite(v), "RANGE", "resample_affine: matrix holds a non-finite number");
    require(is_order(order), "RANGE",
            "resample_affine: order is " + std::to_string(order) + ", allowed are 0, 1 and 3");
    return {like(in[0].layout, feature_shape(s.samples(), s.channels(), size))};
  }
  int64_t workspace(const Inputs& in) const override { return order == 3 ? in[0].layout.bytes() : 0; }
  int64_t cuda_workspace(const Inputs& in) const override;

  const double* matrix_of(int64_t sample) const { return matrix.data() + (matrix.size() > 12 ? sample * 12 : 0); }
};

// Adjoint of resample_separable without clipping: gy of the resized size back to `from`.
struct ResampleSeparableBackward : Descriptor {
  Int3 from;
  Int3 order = {3, 3, 3};

  void fields(FieldVisitor& v) override {
    v.field("from", from);
    v.field("order", order);
  }
  Layouts infer(const Inputs& in) const override {
    require_volume("resample_separable_backward", in[0], from);
    require(is_order(order.z) && is_order(order.y) && is_order(order.x), "RANGE",
            "resample_separable_backward: order is " + to_string(order) + ", allowed are 0, 1 and 3");
    const Shape& s = in[0].layout.shape;
    return {like(in[0].layout, feature_shape(s.samples(), s.channels(), from))};
  }
  // Two buffers, each wide enough for any mixture of old and new sizes.
  int64_t workspace(const Inputs& in) const override {
    const Shape& s = in[0].layout.shape;
    return 2 * s.samples() * s.channels() * std::max(from.z, s[2]) * std::max(from.y, s[3]) * std::max(from.x, s[4]) *
           static_cast<int64_t>(sizeof(float));
  }
  int64_t cuda_workspace(const Inputs& in) const override;
};

// Adjoint of resample_affine: gy back to a volume of size `from`; places outside receive nothing.
struct ResampleAffineBackward : Descriptor {
  Int3 from;
  std::vector<double> matrix;
  int64_t order = 3;

  void fields(FieldVisitor& v) override {
    v.field("from", from);
    v.field("matrix", matrix);
    v.field("order", order);
  }
  Layouts infer(const Inputs& in) const override {
    require_volume("resample_affine_backward", in[0], from);
    ResampleAffine forward;
    forward.size = in[0].layout.shape.size();
    forward.matrix = matrix;
    forward.order = order;
    forward.infer(in);  // the same rules for matrix and order
    const Shape& s = in[0].layout.shape;
    return {like(in[0].layout, feature_shape(s.samples(), s.channels(), from))};
  }
  int64_t cuda_workspace(const Inputs& in) const override;
  const double* matrix_of(int64_t sample) const { return matrix.data() + (matrix.size() > 12 ? sample * 12 : 0); }
};

}  // namespace voxelspark
