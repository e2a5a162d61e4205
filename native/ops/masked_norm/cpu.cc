#include <cmath>

#include "device/parallel.h"
#include "ops/masked_norm/masked_norm.h"
#include "ops/masked_norm/simd.h"
#include "ops/reduce/channel_moments.h"
#include "ops/reduce/columns.h"
#include "ops/reduce/norm_sums.h"

namespace voxelspark {

DEFINE_KERNEL(masked_norm_forward, MaskedNormForward)
DEFINE_KERNEL(masked_norm_affine, MaskedNormAffine)
DEFINE_KERNEL(masked_norm_backward, MaskedNormBackward)
DEFINE_KERNEL(masked_norm_backward_in_place, MaskedNormBackwardInPlace)

using Chunks = std::vector<VoxelChunk>;
using Doubles = std::vector<double>;

// The rows of a (groups, rows, C) array, each repeated to a row of columns.
class Columns {
 public:
  Columns(const float* values, int64_t rows, int64_t channels) : width_(column_width(channels)), data_(rows * width_) {
    for (int64_t i = 0; i < rows * width_; i++) data_[i] = values[i / width_ * channels + i % width_ % channels];
  }
  const float* of(int64_t row) const { return data_.data() + row * width_; }

 private:
  int64_t width_;
  std::vector<float> data_;
};

// affine[group] = mean, scale = gamma * inverse_std, shift = beta, a row of channels each.
static void write_affine(const Tensor& mean, const Tensor& inverse_std, const Inputs& in, size_t gamma, float* affine) {
  const int64_t groups = mean.layout.shape[0], c = mean.layout.shape[1];
  for (int64_t g = 0; g < groups; g++, affine += 3 * c)
    for (int64_t k = 0; k < c; k++) {
      affine[k] = mean.f32()[g * c + k];
      affine[c + k] = inverse_std.f32()[g * c + k] * (present(in, gamma) ? in[gamma].f32()[k] : 1);
      affine[2 * c + k] = present(in, gamma) ? in[gamma + 1].f32()[k] : 0;
    }
}

static std::vector<float> affine_of(const Tensor& mean, const Tensor& inverse_std, const Inputs& in, size_t gamma) {
  std::vector<float> affine(3 * mean.layout.shape.elements());
  write_affine(mean, inverse_std, in, gamma, affine.data());
  return affine;
}

// What the chunks of a group share.
class GroupColumns {
 public:
  GroupColumns(const MaskedNorm& op, const Tensor& mean, const Tensor& inverse_std, const Inputs& in, size_t gamma)
      : GroupColumns(op, affine_of(mean, inverse_std, in, gamma), inverse_std) {}
  NormColumns of(int64_t group) const {
    return {affine_.of(3 * group), affine_.of(3 * group + 1), affine_.of(3 * group + 2), inverse_std_.of(group),
            slope_};
  }

 private:
  GroupColumns(const MaskedNorm& op, const std::vector<float>& affine, const Tensor& inverse_std)
      : slope_(static_cast<float>(op.slope)),
        affine_(affine.data(), 3 * inverse_std.layout.shape[0], inverse_std.layout.shape[1]),
        inverse_std_(inverse_std.f32(), inverse_std.layout.shape[0], inverse_std.layout.shape[1]) {}

  float slope_;
  Columns affine_, inverse_std_;
};

// [group][2][C]: mean and sum of squared deviations, those of the samples merged in their order.
static Doubles group_moments(const MaskedNorm& op, const Layout& x, const Doubles& samples) {
  const int64_t c = x.channels();
  Doubles merged(op.groups(x) * 2 * c), counts(op.groups(x));
  for (int64_t n = 0; n < x.shape.samples(); n++) {
    const int64_t group = op.group_of(n);
    const double voxels = static_cast<double>(x.voxels_of(n));
    if (voxels == 0) continue;
    const double* from = &samples[n * 2 * c];
    merge_moments({&merged[group * 2 * c], &merged[(group * 2 + 1) * c]}, counts[group], from, from + c, voxels, c);
    counts[group] += voxels;
  }
  return merged;
}

static void update_running(const Launch& l, double momentum, const double* mean, const double* m2, double voxels) {
  float *running_mean = l.inputs[3].f32(), *running_variance = l.inputs[4].f32();
  for (int64_t k = 0; k < l.inputs[0].layout.channels(); k++) {
    const double unbiased = m2[k] / (voxels > 1 ? voxels - 1 : 1);
    running_mean[k] = static_cast<float>((1 - momentum) * running_mean[k] + momentum * mean[k]);
    running_variance[k] = static_cast<float>((1 - momentum) * running_variance[k] + momentum * unbiased);
  }
}

// Outputs 1 and 2: mean and inverse_std.
static void statistics(const MaskedNormForward& op, const Launch& l) {
  const Layout& x = l.inputs[0].layout;
  const int64_t c = x.channels();
  float *mean = l.outputs[1].f32(), *inverse_std = l.outputs[2].f32();
  if (!op.training) {
    for (int64_t k = 0; k < c; k++) {
      mean[k] = l.inputs[3].f32()[k];
      inverse_std[k] = static_cast<float>(1 / std::sqrt(l.inputs[4].f32()[k] + op.eps));
    }
    return;
  }
  const bool given = present(l.inputs, 5);
  const float* moments = given ? l.inputs[5].f32() : nullptr;
  const Doubles samples = given ? Doubles(moments, moments + x.shape.samples() * 2 * c) : channel_moments(l.inputs[0]);
  const Doubles merged = group_moments(op, x, samples);
  for (int64_t g = 0; g < op.groups(x); g++) {
    const double voxels = static_cast<double>(op.voxels_of(x, g));
    const double *m = &merged[g * 2 * c], *m2 = m + c;
    for (int64_t k = 0; k < c; k++) {
      const double variance = voxels > 0 && m2[k] > 0 ? m2[k] / voxels : 0;
      mean[g * c + k] = static_cast<float>(m[k]);
      inverse_std[g * c + k] = static_cast<float>(1 / std::sqrt(variance + op.eps));
    }
    if (present(l.inputs, 3) && voxels > 0) update_running(l, op.momentum, m, m2, voxels);
  }
}

void masked_norm_forward_cpu(const Descriptor& d, const Launch& l) {
  const auto& op = as<MaskedNormForward>(d);
  const Layout& layout = l.inputs[0].layout;
  const int64_t c = layout.channels(), width = column_width(c);
  const Chunks chunks = voxel_chunks(layout);
  statistics(op, l);
  const GroupColumns columns(op, l.outputs[1], l.outputs[2], l.inputs, 1);
  auto apply = simd_norm_apply();
  parallel_for(static_cast<int64_t>(chunks.size()), [&](int64_t i) {
    const int64_t at = chunks[i].first * c;
    apply(l.inputs[0].f32() + at, chunks[i].voxels * c, width, columns.of(op.group_of(chunks[i].sample)),
          l.outputs[0].f32() + at);
  });
}

void masked_norm_affine_cpu(const Descriptor& d, const Launch& l) {
  statistics(as<MaskedNormForward>(d), l);
  write_affine(l.outputs[1], l.outputs[2], l.inputs, 1, l.outputs[0].f32());
}

// Sums of g and g * xhat of every group, [group][2][C]: those that came with gy, or by a pass over x and gy.
static Doubles gradient_sums(const MaskedNorm& op, const Launch& l) {
  Tensor x = l.inputs[0];
  const int64_t c = x.layout.channels(), samples = x.layout.shape.samples();
  Doubles parts;
  if (present(l.inputs, 6)) {
    parts.assign(l.inputs[6].f32(), l.inputs[6].f32() + samples * 2 * c);
  } else {
    const std::vector<float> affine = affine_of(l.inputs[2], l.inputs[3], l.inputs, 4);
    x.pending = {affine.data(), op.batch ? 0 : 3 * c, static_cast<float>(op.slope)};
    parts = norm_sums(l.inputs[1], x);
  }
  Doubles sums(op.groups(x.layout) * 2 * c);
  const float* inverse_std = l.inputs[3].f32();
  for (int64_t i = 0; i < samples * 2 * c; i++) {
    const int64_t group = op.group_of(i / (2 * c)), k = i % (2 * c);
    sums[group * 2 * c + k] += k < c ? parts[i] : parts[i] * inverse_std[group * c + k - c];
  }
  return sums;
}

// gx may be gy: every element is read before it is written, by the same thread.
static void backward(const MaskedNorm& op, const Launch& l, float* gx, float* ggamma, float* gbeta) {
  const Layout& x = l.inputs[0].layout;
  const int64_t c = x.channels(), width = column_width(c), groups = op.groups(x);
  const Chunks chunks = voxel_chunks(x);
  const GroupColumns columns(op, l.inputs[2], l.inputs[3], l.inputs, 4);
  const Doubles sums = gradient_sums(op, l);

  std::vector<float> means(2 * groups * c);  // of g, then of g * xhat; 0 where the statistics are constants
  for (int64_t i = 0; i < groups * c && op.training; i++)
    for (int64_t part = 0; part < 2; part++) {
      const int64_t g = i / c, voxels = op.voxels_of(x, g);
      if (voxels) means[part * groups * c + i] = static_cast<float>(sums[(g * 2 + part) * c + i % c] / voxels);
    }
  const Columns mean_g(&means[0], groups, c), mean_gx(&means[groups * c], groups, c);
  auto gradient = simd_norm_gradient();
  parallel_for(static_cast<int64_t>(chunks.size()), [&](int64_t i) {
    const int64_t at = chunks[i].first * c, group = op.group_of(chunks[i].sample);
    gradient(l.inputs[0].f32() + at, l.inputs[1].f32() + at, chunks[i].voxels * c, width, columns.of(group),
             mean_g.of(group), mean_gx.of(group), gx + at);
  });

  for (int64_t k = 0; k < c && ggamma; k++)
    for (int64_t part = 0; part < 2; part++) {
      double sum = 0;
      for (int64_t g = 0; g < groups; g++) sum += sums[(g * 2 + part) * c + k];
      (part ? ggamma : gbeta)[k] = static_cast<float>(sum);
    }
}

// Output i, where the parameters ask for it.
static float* of_parameters(const Launch& l, size_t i) { return present(l.inputs, 4) ? l.outputs[i].f32() : nullptr; }

void masked_norm_backward_cpu(const Descriptor& d, const Launch& l) {
  backward(as<MaskedNorm>(d), l, l.outputs[0].f32(), of_parameters(l, 1), of_parameters(l, 2));
}

void masked_norm_backward_in_place_cpu(const Descriptor& d, const Launch& l) {
  backward(as<MaskedNorm>(d), l, l.inputs[1].f32(), of_parameters(l, 0), of_parameters(l, 1));
}

}  // namespace voxelspark
