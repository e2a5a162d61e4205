// The yardstick of arithmetic: multiply-adds in registers and nothing else.
#pragma once
#include <stdint.h>

#include "device/isa.h"

namespace voxelspark {

// Runs `rounds` rounds on one thread and returns their floating-point operations; the sums go to `out`.
DECLARE_SIMD(fma_rounds, int64_t, (int64_t rounds, float* out))

// Runs as many rounds on every thread of the caller.
void multiply_add(int64_t rounds);
double multiply_add_operations(int64_t rounds, int threads);

}  // namespace voxelspark
