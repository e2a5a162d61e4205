// loss = ce_weight * CE + dice_weight * (-mean soft Dice): nnU-Net's segmentation loss (method.md section 7.4).
//
// Exclusive labels: p = softmax of the logits over C classes, g = one-hot of the label; CE is the mean of -log p[label]
// over the counted voxels; Dice runs over classes 1 … C-1. Regions (sets of labels, one a channel): p = sigmoid,
// g = whether the label is in the region; CE is binary cross-entropy, mean over counted voxels and channels; Dice runs
// over all channels. Per (sample, channel), or per channel over the batch with `batch_dice`:
//   dc = (2 I + smooth) / max(P + G + smooth, 1e-8),  I = sum p g, P = sum p, G = sum g over counted voxels.
// Not counted are voxels whose label is `ignore`, is no whole number, is negative, or (exclusive labels) is C or more.
// Nothing counted: CE = 0, and no gradient.
//
// The forward pass leaves d(dice_weight * Dice part)/dp = a g + b as coefficients (S, C, 2), S samples or 1, and
// ce_scale = ce_weight / count. Backward:
//   softmax: gz = gloss (p (h - sum h p) + ce_scale (p - g)),  sigmoid: gz = gloss (h p (1-p) + ce_scale (p - g)),
//   h = a g + b. Sums in double, chunks follow from the shape and never straddle samples, added in order.
#pragma once
#include <cmath>
#include <vector>

#include "core/text.h"
#include "ops/checks.h"
#include "ops/reduce/voxel_splits.h"

namespace voxelspark {

struct DiceCrossEntropy : Descriptor {
  std::vector<double> labels, sizes;  // regions as flat lists, see label_counts; none: exclusive labels
  std::vector<double> ignore;         // none or one label
  bool batch_dice = false;
  double smooth = 1e-5, dice_weight = 1, ce_weight = 1;

  void fields(FieldVisitor& v) override {
    v.field("labels", labels);
    v.field("sizes", sizes);
    v.field("ignore", ignore);
    v.field("batchDice", batch_dice);
    v.field("smooth", smooth);
    v.field("diceWeight", dice_weight);
    v.field("ceWeight", ce_weight);
  }
  bool by_region() const { return !sizes.empty(); }
  int64_t groups(const Layout& logits) const { return batch_dice ? 1 : logits.shape.samples(); }
  int64_t first_class() const { return by_region() ? 0 : 1; }
  Shape coefficients(const Layout& logits) const { return {3, {groups(logits), logits.channels(), 2}}; }

  Layouts infer(const Inputs& in) const override {
    require_pair(in);
    const Layout& logits = in[0].layout;
    return {plain(logits, scalar_shape()), plain(logits, coefficients(logits)), plain(logits, scalar_shape())};
  }
  // What CUDA keeps beside its outputs, as bytes: the regions, two floats a voxel, partial sums and their totals.
  struct CudaParts {
    int64_t regions, voxels, partials, totals;
  };
  int64_t cuda_sums(const Layout& logits) const { return 3 * logits.channels() + 2; }  // a group
  CudaParts cuda_parts(const Layout& logits) const {
    const auto rounded = [](int64_t bytes) { return (bytes + 511) / 512 * 512; };
    const VoxelSplits splits = VoxelSplits::of(logits, batch_dice);
    const int64_t table = static_cast<int64_t>(labels.size() + sizes.size()) + 1, sums = cuda_sums(logits) * 8;
    return {rounded(4 * table), rounded(8 * logits.voxels()), rounded(splits.groups * splits.splits * sums),
            rounded(splits.groups * sums)};
  }
  int64_t cuda_workspace(const Inputs& in) const override {
    const CudaParts parts = cuda_parts(in[0].layout);
    return parts.regions + parts.voxels + parts.partials + parts.totals;
  }
  void require_pair(const Inputs& in) const {
    const std::string op = "dice_cross_entropy";
    const Layout &logits = in[0].layout, &label = in[1].layout;
    require_dense(logits, op, "logits");
    require_dense(label, op, "labels");
    const Shape wanted = feature_shape(logits.shape.samples(), 1, logits.shape.size());
    require_shape(label.shape == wanted,
                  op + ": labels have shape " + to_string(label.shape) + ", allowed is " + to_string(wanted));
    require_shape(by_region() || logits.channels() >= 2,
                  op + ": logits " + to_string(logits.shape) + " need a channel for background and one a label");
    require_regions(logits.channels(), op);
    require(ignore.size() <= 1, "SHAPE",
            op + ": there are " + std::to_string(ignore.size()) + " ignore labels, allowed is one");
    require_positive("smooth", smooth, op);
    require_positive("diceWeight", dice_weight, op);
    require_positive("ceWeight", ce_weight, op);
  }
  void require_regions(int64_t channels, const std::string& op) const {
    if (!by_region()) return require_shape(labels.empty(), op + ": labels of regions need the regions' sizes");
    require_shape(static_cast<int64_t>(sizes.size()) == channels, op + ": there are " + std::to_string(sizes.size()) +
                                                                      " regions for " + std::to_string(channels) +
                                                                      " channels, allowed are as many");
    double total = 0;
    for (double s : sizes) {
      require(s >= 1 && s == std::floor(s), "RANGE", op + ": a region needs at least one label");
      total += s;
    }
    require_shape(total == static_cast<double>(labels.size()), op + ": the sizes of the regions add up to " +
                                                                   text_of(total) + ", there are " +
                                                                   std::to_string(labels.size()) + " labels");
  }
  static void require_positive(const char* name, double v, const std::string& op) {
    require(std::isfinite(v) && v >= 0, "RANGE", op + ": " + name + " is " + text_of(v) + ", allowed is [0, inf)");
  }

  bool counts(double label, int64_t channels) const {
    if (!ignore.empty() && label == ignore[0]) return false;
    return label >= 0 && label == std::floor(label) && (by_region() || label < channels);
  }
  // g for every channel.
  template <class T>
  void target(double label, int64_t channels, T* g, int64_t stride) const {
    if (!by_region()) {
      for (int64_t c = 0; c < channels; c++) g[c * stride] = label == c;
      return;
    }
    for (int64_t c = 0, i = 0; c < channels; c++) {
      g[c * stride] = 0;
      for (const int64_t end = i + static_cast<int64_t>(sizes[c]); i < end; i++)
        if (labels[i] == label) g[c * stride] = 1;
    }
  }
};

struct DiceCrossEntropyBackward : DiceCrossEntropy {
  Layouts infer(const Inputs& in) const override {
    require_pair(in);
    const Shape wanted = coefficients(in[0].layout);
    require_shape(in[2].layout.shape == wanted, "dice_cross_entropy: coefficients have shape " +
                                                    to_string(in[2].layout.shape) + ", allowed is " +
                                                    to_string(wanted));
    for (size_t i : {size_t(3), size_t(4)})
      require_shape(in[i].layout.shape.elements() == 1,
                    "dice_cross_entropy: " + std::string(i == 3 ? "ce_scale" : "the gradient of the loss") +
                        " has shape " + to_string(in[i].layout.shape) + ", allowed is one element");
    return {in[0].layout};
  }
};

// What voxels add up to: I, P and G of every channel, the cross-entropy and the number of counted voxels.
struct DiceSums {
  std::vector<double> intersection, predicted, wanted;
  double cross_entropy = 0;
  int64_t count = 0;

  explicit DiceSums(int64_t channels) : intersection(channels), predicted(channels), wanted(channels) {}
  void add(const DiceSums& o) {
    for (size_t c = 0; c < wanted.size(); c++) {
      intersection[c] += o.intersection[c];
      predicted[c] += o.predicted[c];
      wanted[c] += o.wanted[c];
    }
    cross_entropy += o.cross_entropy;
    count += o.count;
  }
};

// Loss, coefficients and ce_scale from the sums of each group.
template <class T>
void finish_loss(const DiceCrossEntropy& op, const std::vector<DiceSums>& sums, const Launch& l) {
  const int64_t channels = l.inputs[0].layout.channels(), first = op.first_class();
  const double terms = static_cast<double>(sums.size()) * (channels - first);
  T* coefficients = l.outputs[1].as<T>();
  double dice = 0, cross_entropy = 0;
  int64_t count = 0;
  for (const DiceSums& s : sums) {
    cross_entropy += s.cross_entropy;
    count += s.count;
    for (int64_t c = 0; c < channels; c++, coefficients += 2) {
      coefficients[0] = coefficients[1] = 0;
      if (c < first) continue;
      const double sum = s.predicted[c] + s.wanted[c] + op.smooth, below = sum > 1e-8 ? sum : 1e-8;
      const double above = 2 * s.intersection[c] + op.smooth;
      dice += above / below;
      coefficients[0] = static_cast<T>(-op.dice_weight / terms * 2 / below);
      if (sum > 1e-8) coefficients[1] = static_cast<T>(op.dice_weight / terms * above / (below * below));
      // NaN probabilities must not look like an empty class.
      if (std::isnan(sum)) dice = sum;
    }
  }
  const double elements = static_cast<double>(count) * (op.by_region() ? channels : 1);
  const double scale = count ? op.ce_weight / elements : 0;
  *l.outputs[0].as<T>() = static_cast<T>(scale * cross_entropy - op.dice_weight * dice / terms);
  *l.outputs[2].as<T>() = static_cast<T>(scale);
}

}  // namespace voxelspark
