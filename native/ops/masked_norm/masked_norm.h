// y = act(gamma * xhat + beta), xhat = (x - mean) * inverse_std, act = LeakyReLU of `slope` (1 = none).
//
// mean and biased variance run over the visible voxels: per sample and channel (instance), or per channel
// over the whole batch (batch). Masked voxels are not stored, so they stay exactly 0. With `training` off,
// batch takes the running statistics. Saved for backward: mean and inverse_std, (groups, C), one group a
// sample or one in all.
//
// Statistics: each chunk (size from the shape, never across samples) in two passes in double, merged in chunk
// order by Chan's formula. No visible voxel: mean 0, variance 0. One: variance 0, so y = act(beta). Backward,
// g = gy * act'(gamma * xhat + beta), n voxels a group:
//   gbeta = sum g, ggamma = sum g xhat, gx = gamma inverse_std (g - sum g / n - xhat sum(g xhat) / n);
// in evaluation the statistics are constants and gx = gamma inverse_std g.
#pragma once
#include "core/text.h"
#include "ops/pending.h"
#include "ops/reduce/voxel_splits.h"

namespace voxelspark {

struct MaskedNorm : Descriptor {
  bool batch = false;
  double eps = 1e-5, slope = 1;
  bool training = true;

  void fields(FieldVisitor& v) override {
    v.field("batch", batch);
    v.field("eps", eps);
    v.field("slope", slope);
    v.field("training", training);
  }
  void require_common(const Inputs& in, size_t gamma) const {
    const Layout& x = in[0].layout;
    require_feature_map(x, "masked_norm", "x");
    require(eps > 0, "RANGE", "masked_norm: eps is " + text_of(eps) + ", allowed are values above 0");
    require(slope >= 0 && slope <= 1, "RANGE", "masked_norm: slope is " + text_of(slope) + ", allowed is [0, 1]");
    require(present(in, gamma) == present(in, gamma + 1), "TYPE", "masked_norm: give gamma and beta, or neither");
    require_channels(in, gamma, x.channels(), "masked_norm", "gamma");
    require_channels(in, gamma + 1, x.channels(), "masked_norm", "beta");
    require(batch || training, "RANGE",
            "masked_norm: instance normalisation has no running statistics to evaluate with");
  }
  // Two partial sums of each split; the backward pass keeps their means too.
  int64_t cuda_workspace(const Inputs& in) const override {
    const Layout& x = in[0].layout;
    return VoxelSplits::of(x, batch).bytes(2, x.channels()) + groups(x) * 2 * x.channels() * size_of(wide_of(x.dtype));
  }
  int64_t groups(const Layout& x) const { return batch ? 1 : x.shape.samples(); }
  int64_t group_of(int64_t sample) const { return batch ? 0 : sample; }
  int64_t voxels_of(const Layout& x, int64_t group) const { return batch ? x.voxels() : x.voxels_of(group); }
  Layout statistics(const Layout& x) const { return wide(x, Shape{2, {groups(x), x.channels()}}); }
};

// Inputs: x, gamma?, beta?, running mean?, running variance? (both changed in place when training).
struct MaskedNormForward : MaskedNorm {
  double momentum = 0.1;

  void fields(FieldVisitor& v) override {
    MaskedNorm::fields(v);
    v.field("momentum", momentum);
  }
  Layouts infer(const Inputs& in) const override {
    require_common(in, 1);
    const Layout& x = in[0].layout;
    require(present(in, 3) == present(in, 4), "TYPE", "masked_norm: give running mean and variance, or neither");
    require(!present(in, 3) || batch, "TYPE", "masked_norm: running statistics exist for kind 'batch' only");
    require(training || present(in, 3), "TYPE", "masked_norm: evaluation needs running statistics");
    require(momentum >= 0 && momentum <= 1, "RANGE",
            "masked_norm: momentum is " + text_of(momentum) + ", allowed is [0, 1]");
    require_channels(in, 3, x.channels(), "masked_norm", "running mean");
    require_channels(in, 4, x.channels(), "masked_norm", "running variance");
    return {x, statistics(x), statistics(x)};
  }
};

// The same without y: the affine map that gives it, (groups, 3, C) of mean, scale = gamma inverse_std, shift = beta,
// for readers of x that apply it (see core/tensor.h). One more input, moments?: (N, 2, C), the mean and the sum of
// squared deviations of x, where the op that made x left them. Outputs: affine, mean, inverse_std.
struct MaskedNormAffine : MaskedNormForward {
  Layouts infer(const Inputs& in) const override {
    Layouts out = MaskedNormForward::infer(in);
    const Layout& x = in[0].layout;
    require_moments(in, 5, x, "masked_norm");
    out[0] = wide(x, affine_shape(groups(x), x.channels()));
    return out;
  }
};

// Inputs: x, gy, mean, inverse_std, gamma?, beta?, sums?: (N, 2, C), see reduce/norm_sums.h, where the op that made gy
// left them.
struct MaskedNormBackward : MaskedNorm {
  Layouts infer(const Inputs& in) const override {
    require_common(in, 4);
    const Layout& x = in[0].layout;
    require_same(in[1].layout, x, "masked_norm", "gy");
    require_same(in[2].layout, statistics(x), "masked_norm", "mean");
    require_same(in[3].layout, statistics(x), "masked_norm", "inverse_std");
    if (present(in, 6)) require_same(in[6].layout, norm_sums_of(x), "masked_norm", "sums");
    if (!present(in, 4)) return {x};
    return {x, in[4].layout, in[5].layout};
  }
};

// The same with gx in place of gy. Outputs: ggamma, gbeta.
struct MaskedNormBackwardInPlace : MaskedNormBackward {
  Layouts infer(const Inputs& in) const override {
    Layouts out = MaskedNormBackward::infer(in);
    out.erase(out.begin());
    return out;
  }
};

}  // namespace voxelspark
