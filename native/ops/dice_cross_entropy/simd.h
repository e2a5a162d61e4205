#pragma once
#include <stdint.h>

#include "device/isa.h"

namespace voxelspark {

// Voxels are worked on in blocks, planar: channel c of voxel v at [c * kDiceBlock + v].
constexpr int64_t kDiceBlock = 256;

// p = softmax of the planar logits z; largest and total: max z and sum exp(z - max) of each voxel.
DECLARE_SIMD(planar_softmax, void,
             (const float* z, int64_t voxels, int64_t channels, float* p, float* largest, float* total))
// p = sigmoid of z, tail = exp(-|z|)
DECLARE_SIMD(planar_sigmoid, void, (const float* z, int64_t voxels, int64_t channels, float* p, float* tail))

struct DiceGradient {
  const float *p, *g, *counts;  // planar probabilities and targets; 1 or 0 a voxel
  const float* coefficients;    // a and b of each channel
  int64_t voxels, channels;
  float scale, gloss;  // of the cross-entropy; upstream
  bool softmax;
};
// gz planar
DECLARE_SIMD(planar_dice_gradient, void, (const DiceGradient& d, float* gz))

}  // namespace voxelspark
