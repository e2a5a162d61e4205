// y[n, o, k] = bias[k] + sum over taps t, channels c of x[n, o * stride + t - padding, c] * weight[k, t, c]
// at the visible output voxels only: conv(x) times the mask (method.md section 3).
//
// Layout. Weights (K, C, kz, ky, kx) lie as [K][kz][ky][kx][C]. A sparse x reads as zero where it is masked, any x
// reads as zero outside the volume. A dense x with a mask gives a sparse y that has seen the unmasked x.
// The block grid of the output is that of the attribute `mask`, else that of x.
//
// x may come as two maps of one grid, x and x2, whose channels follow each other: conv3d(concat(x, x2)).
#pragma once
#include "ops/pending.h"

namespace voxelspark {

// What relates the output voxels of a convolution to its input voxels.
struct ConvGeometry {
  Int3 kernel, stride, padding;

  Int3 output_size(Int3 input) const { return (input + padding + padding - kernel) / stride + Int3{1, 1, 1}; }
  void check(const std::string& op, Int3 input) const;  // throws RANGE or SHAPE
};
void check_winograd(const std::string& op, int64_t winograd);

// Shared checks; `what` names the tensor in the sentence.
void check_feature(const std::string& op, const char* what, const Tensor& t);
void check_weight(const std::string& op, const Tensor& weight);
void check_bias(const std::string& op, const Tensor& bias, int64_t channels);
void check_same_grid(const std::string& op, const std::shared_ptr<const BlockGrid>& a,
                     const std::shared_ptr<const BlockGrid>& b);
// A feature map of that size under the grid, which must fit it.
Layout masked_layout(const std::string& op, const Layout& model, int64_t channels, Int3 size,
                     const std::shared_ptr<const BlockGrid>& grid);

// The layout of inputs x and, if present, x2 as one; without x2 that of x.
Layout joined_layout(const std::string& op, const Inputs& in, size_t x, size_t x2);

// Inputs: x, weight, bias?, affine? of a normalisation pending on x, with a leaky ReLU of `slope`, x2? (then no
// affine). Outputs: y and, where `moments` is set, its statistics (see ops/pending.h).
struct ConvForward : Descriptor {
  Int3 stride{1, 1, 1}, padding{0, 0, 0};
  bool moments = false;
  int64_t winograd = 0;  // one of winograd.h's enum: 0 off, 1 F(2,2,2), 2 also F(2,4,4)
  double slope = 1;
  std::shared_ptr<const BlockGrid> mask;

  void fields(FieldVisitor& v) override {
    v.field("stride", stride);
    v.field("padding", padding);
    v.field("winograd", winograd);
    v.field("slope", slope);
    v.field("moments", moments);
    v.field("mask", mask);
  }
  Layouts infer(const Inputs& in) const override;
  int64_t workspace(const Inputs& in) const override;
  int64_t cuda_workspace(const Inputs& in) const override;
};

// The gradient of x: `size` and `mask` are those of x; without a mask x was dense, also where gy is sparse. Of two
// joined maps, two gradients: the first `split` channels and the rest; 0: one. Inputs: gy, weight, and, where a
// normalisation is pending on x with a leaky ReLU of `slope`, x? and affine?: then `sums` is left for it (see
// reduce/norm_sums.h), without `split`.
struct ConvGradInput : Descriptor {
  Int3 stride{1, 1, 1}, padding{0, 0, 0}, size{0, 0, 0};
  int64_t winograd = 0, split = 0;
  double slope = 1;
  std::shared_ptr<const BlockGrid> mask;

  void fields(FieldVisitor& v) override {
    v.field("stride", stride);
    v.field("padding", padding);
    v.field("winograd", winograd);
    v.field("size", size);
    v.field("split", split);
    v.field("slope", slope);
    v.field("mask", mask);
  }
  Layouts infer(const Inputs& in) const override;
  int64_t workspace(const Inputs& in) const override;
  int64_t cuda_workspace(const Inputs& in) const override;
};

// The gradients of the weight, and of the bias where `bias` is set. Inputs: x, gy, and affine? of x or gy_affine?, with
// `slope`: a normalisation pending on one of them; x2? (then no affine of x).
struct ConvGradWeight : Descriptor {
  Int3 kernel{1, 1, 1}, stride{1, 1, 1}, padding{0, 0, 0};
  int64_t winograd = 0;
  bool bias = false;
  double slope = 1;

  void fields(FieldVisitor& v) override {
    v.field("kernel", kernel);
    v.field("stride", stride);
    v.field("padding", padding);
    v.field("winograd", winograd);
    v.field("bias", bias);
    v.field("slope", slope);
  }
  Layouts infer(const Inputs& in) const override;
  int64_t workspace(const Inputs& in) const override;
  int64_t cuda_workspace(const Inputs& in) const override;
};

inline Int3 kernel_of(const Tensor& weight) { return weight.layout.shape.size(); }

}  // namespace voxelspark
