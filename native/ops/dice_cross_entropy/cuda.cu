// Forward: the softmax's maximum and sum of every voxel, then the sums of each class in fixed splits of the voxels of a
// group, added in order in double; one thread makes the loss of them. Backward: elementwise over voxels.
#include <vector>

#include "device/cuda_upload.cuh"
#include "ops/dice_cross_entropy/dice_cross_entropy.h"
#include "ops/reduce/cuda_reduce.cuh"
#include "ops/reduce/cuda_splits.cuh"

namespace voxelspark {

namespace {

// Logits, labels and what a label means.
struct Segmentation {
  const float *logits, *label;
  int channels, first_class;
  bool by_region, ignores;
  float ignored;
  const int* starts;     // of each region in `members`, and their end
  const float* members;  // labels
  const float* softmax;  // largest logit and sum of exponentials of each voxel

  __device__ bool counts(float v) const {
    if (ignores && v == ignored) return false;
    return v >= 0 && v == floorf(v) && (by_region || v < static_cast<float>(channels));
  }
  __device__ float target(float v, int c) const {
    if (!by_region) return v == static_cast<float>(c) ? 1.0f : 0.0f;
    for (int i = starts[c]; i < starts[c + 1]; i++)
      if (members[i] == v) return 1.0f;
    return 0.0f;
  }
  __device__ float logit(int64_t voxel, int c) const { return logits[voxel * channels + c]; }
  __device__ float probability(int64_t voxel, int c) const {
    const float z = logit(voxel, c);
    return by_region ? 1.0f / (1.0f + expf(-z)) : expf(z - softmax[2 * voxel]) / softmax[2 * voxel + 1];
  }
  // -log of the probability of the label; of one region's yes or no.
  __device__ float cross_entropy(int64_t voxel, int c, float g) const {
    const float z = logit(voxel, c);
    if (by_region) return fmaxf(z, 0.0f) - z * g + log1pf(expf(-fabsf(z)));
    return g > 0 ? softmax[2 * voxel] + logf(softmax[2 * voxel + 1]) - z : 0.0f;
  }
};

struct Softmax {
  const float* logits;
  int channels;
  float* softmax;

  __device__ void operator()(int64_t voxel) const {
    const float* z = logits + voxel * channels;
    float largest = z[0], total = 0;
    for (int c = 1; c < channels; c++) largest = fmaxf(largest, z[c]);
    for (int c = 0; c < channels; c++) total += expf(z[c] - largest);
    softmax[2 * voxel] = largest;
    softmax[2 * voxel + 1] = total;
  }
};

// partial: [group][split][I, P, G of each class, cross-entropy, count]
__global__ void dice_partials(SplitView view, Segmentation s, double* partial) {
  const SplitView::Range range = view.split(blockIdx.y, blockIdx.x);
  const int values = 3 * s.channels + 2;
  double* to = partial + (static_cast<int64_t>(blockIdx.y) * gridDim.x + blockIdx.x) * values;
  const auto put = [&](int at, double value) {
    const double sum = sum_of_block(value);
    if (threadIdx.x == 0) to[at] = sum;
  };
  double cross_entropy = 0, count = 0;
  for (int c = 0; c < s.channels; c++) {
    double intersection = 0, predicted = 0, wanted = 0;
    for (int64_t v = range.begin + threadIdx.x; v < range.end; v += kReduceThreads) {
      const float label = s.label[v];
      if (!s.counts(label)) continue;
      const float p = s.probability(v, c), g = s.target(label, c);
      intersection += p * g;
      predicted += p;
      wanted += g;
      cross_entropy += s.cross_entropy(v, c, g);
      if (c == 0) count += 1;
    }
    put(3 * c, intersection);
    put(3 * c + 1, predicted);
    put(3 * c + 2, wanted);
  }
  put(values - 2, cross_entropy);
  put(values - 1, count);
}

struct Weights {
  double smooth, dice, cross_entropy;
};

// finish_loss() of the CPU; one thread, as the classes are few.
__global__ void dice_loss(const double* totals, int groups, int channels, int first_class, bool by_region, Weights w,
                          float* loss, float* coefficients, float* ce_scale) {
  const double terms = static_cast<double>(groups) * (channels - first_class);
  double dice = 0, cross_entropy = 0, count = 0;
  for (int g = 0; g < groups; g++, totals += 3 * channels + 2) {
    cross_entropy += totals[3 * channels];
    count += totals[3 * channels + 1];
    for (int c = 0; c < channels; c++, coefficients += 2) {
      coefficients[0] = coefficients[1] = 0;
      if (c < first_class) continue;
      const double sum = totals[3 * c + 1] + totals[3 * c + 2] + w.smooth, below = sum > 1e-8 ? sum : 1e-8;
      const double above = 2 * totals[3 * c] + w.smooth;
      dice += above / below;
      coefficients[0] = static_cast<float>(-w.dice / terms * 2 / below);
      if (sum > 1e-8) coefficients[1] = static_cast<float>(w.dice / terms * above / (below * below));
      if (sum != sum) dice = sum;  // NaN must not look like an empty class
    }
  }
  const double elements = count * (by_region ? channels : 1), scale = count > 0 ? w.cross_entropy / elements : 0;
  *loss = static_cast<float>(scale * cross_entropy - w.dice * dice / terms);
  *ce_scale = static_cast<float>(scale);
}

struct Gradient {
  Segmentation s;
  BlockView blocks;
  bool batch;
  const float *coefficients, *ce_scale, *gloss;
  float* gz;

  __device__ void operator()(int64_t voxel) const {
    const float label = s.label[voxel], scale = *ce_scale, incoming = *gloss;
    const bool counts = s.counts(label);
    const float* k = coefficients + (batch ? 0 : blocks.sample_of(voxel)) * static_cast<int64_t>(s.channels) * 2;
    float mean = 0;
    for (int c = 0; counts && !s.by_region && c < s.channels; c++)
      mean += (k[2 * c] * s.target(label, c) + k[2 * c + 1]) * s.probability(voxel, c);
    for (int c = 0; c < s.channels; c++) {
      float gradient = 0;
      if (counts) {
        const float p = s.probability(voxel, c), g = s.target(label, c), h = k[2 * c] * g + k[2 * c + 1];
        gradient = incoming * (p * (s.by_region ? h * (1 - p) : h - mean) + scale * (p - g));
      }
      gz[voxel * s.channels + c] = gradient;
    }
  }
};

// Puts the regions' table and the softmax into the workspace.
Segmentation prepare(const DiceCrossEntropy& op, const Launch& l) {
  const Layout& layout = l.inputs[0].layout;
  const int channels = static_cast<int>(layout.channels());
  char* regions = static_cast<char*>(l.workspace);
  float* softmax = reinterpret_cast<float*>(regions + op.cuda_parts(layout).regions);
  const int* starts = reinterpret_cast<const int*>(regions);
  const float* members = reinterpret_cast<const float*>(starts + op.sizes.size() + 1);
  if (op.by_region()) {
    std::vector<int> ends(1, 0);
    for (const double size : op.sizes) ends.push_back(ends.back() + static_cast<int>(size));
    const std::vector<float> labels(op.labels.begin(), op.labels.end());
    upload(ends, const_cast<int*>(starts), "a copy of the regions");
    upload(labels, const_cast<float*>(members), "a copy of the regions");
  } else {
    launch_elementwise(layout.voxels(), Softmax{l.inputs[0].f32(), channels, softmax}, "dice_cross_entropy");
  }
  return {l.inputs[0].f32(),
          l.inputs[1].f32(),
          channels,
          static_cast<int>(op.first_class()),
          op.by_region(),
          !op.ignore.empty(),
          op.ignore.empty() ? 0.0f : static_cast<float>(op.ignore[0]),
          starts,
          members,
          softmax};
}

}  // namespace

void dice_cross_entropy_forward_cuda(const Descriptor& d, const Launch& l) {
  const auto& op = as<DiceCrossEntropy>(d);
  const Layout& layout = l.inputs[0].layout;
  const Segmentation s = prepare(op, l);
  const auto parts = op.cuda_parts(layout);
  char* after = static_cast<char*>(l.workspace) + parts.regions + parts.voxels;
  double *partial = reinterpret_cast<double*>(after), *totals = reinterpret_cast<double*>(after + parts.partials);
  const VoxelSplits splits = VoxelSplits::of(layout, op.batch_dice);
  const int64_t values = op.cuda_sums(layout);
  LAUNCH_KERNEL(dice_partials, dim3(splits.splits, splits.groups), kReduceThreads,
                split_view(layout, op.batch_dice, splits), s, partial);
  add_splits(partial, splits.groups, splits.splits, values, totals, "dice_cross_entropy");
  const Weights weights{op.smooth, op.dice_weight, op.ce_weight};
  LAUNCH_KERNEL(dice_loss, 1, 1, totals, static_cast<int>(splits.groups), s.channels, s.first_class, s.by_region,
                weights, l.outputs[0].f32(), l.outputs[1].f32(), l.outputs[2].f32());
  check_cuda(cudaGetLastError(), "dice_cross_entropy_forward");
}

void dice_cross_entropy_backward_cuda(const Descriptor& d, const Launch& l) {
  const auto& op = as<DiceCrossEntropyBackward>(d);
  const Layout& layout = l.inputs[0].layout;
  const Gradient gradient{prepare(op, l),    view_of(layout),   op.batch_dice,     l.inputs[2].f32(),
                          l.inputs[3].f32(), l.inputs[4].f32(), l.outputs[0].f32()};
  launch_elementwise(layout.voxels(), gradient, "dice_cross_entropy_backward");
}

}  // namespace voxelspark
