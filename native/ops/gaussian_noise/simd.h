#pragma once
#include <stdint.h>

#include "device/isa.h"

namespace voxelspark {

// What Philox4x32-10 turns into random words; the counter's first word is the number of the block.
struct NoiseStream {
  uint32_t key[2], step, index, purpose;
};

// x[i] += sigma * normal number 4 * block + i, for n values
DECLARE_SIMD(add_normals, void, (const NoiseStream& stream, int64_t block, float sigma, float* x, int64_t n))

}  // namespace voxelspark
