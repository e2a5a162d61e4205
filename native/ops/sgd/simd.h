#pragma once
#include <stdint.h>

#include "device/isa.h"

namespace voxelspark {

struct SgdStep {
  float lr, momentum, weight_decay, clipping;
  bool nesterov;
};

DECLARE_SIMD(sgd_range, void, (const SgdStep& s, float* w, const float* g, float* v, int64_t n))  // v may be null

}  // namespace voxelspark
