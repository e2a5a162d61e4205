// x += sigma * n in place, n standard normal (method.md section 7.5). Every sample gets the same noise, as nnU-Net
// gives it to all channels of a patch.
//
// Element i of a sample takes the normal value that `rng(seed, step, purpose, index).fillNormal` of lib/random.ts puts
// at i: Philox4x32-10 with counter [i / 4, step, index, purpose] and key seed, then Box-Muller on pairs of words. A
// value depends on nothing but its place: the same bits for any number of threads.
#pragma once
#include <cmath>

#include "core/text.h"
#include "ops/checks.h"

namespace voxelspark {

struct GaussianNoise : Descriptor {
  double sigma = 0;
  int64_t seed = 0, step = 0, index = 0;
  int64_t purpose = 0;  // its hash

  void fields(FieldVisitor& v) override {
    v.field("sigma", sigma);
    v.field("seed", seed);
    v.field("step", step);
    v.field("index", index);
    v.field("purpose", purpose);
  }
  Layouts infer(const Inputs& in) const override {
    const std::string op = "gaussian_noise";
    require_one_channel(in[0].layout, op);
    require_shape(in[0].layout.shape.size().product() <= int64_t{1} << 34,
                  op + ": a stream has 2^34 values, x is " + to_string(in[0].layout.shape));
    require(std::isfinite(sigma) && sigma >= 0, "RANGE", op + ": sigma is " + text_of(sigma) + ", allowed is [0, inf)");
    require(seed >= 0, "RANGE", op + ": seed is " + std::to_string(seed) + ", allowed is 0 to 2^53 - 1");
    for (int64_t word : {step, index, purpose})
      require(word >= 0 && word < int64_t{1} << 32, "RANGE",
              op + ": a word of the counter is " + std::to_string(word) + ", allowed is 0 to 2^32 - 1");
    return {};
  }
};

}  // namespace voxelspark
