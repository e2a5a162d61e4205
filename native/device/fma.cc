#include "device/fma.h"

#include "device/parallel.h"

namespace voxelspark {

constexpr int64_t kParts = 4;  // of a thread's share: one that wakes late finds less to do

static int64_t run(int64_t rounds) {
  float sums;
  const int64_t operations = simd_fma_rounds()(rounds, &sums);
  [[maybe_unused]] volatile float used = sums;
  return operations;
}

void multiply_add(int64_t rounds) {
  parallel_for(omp_get_max_threads() * kParts, [&](int64_t) { run(rounds / kParts); });
}

double multiply_add_operations(int64_t rounds, int threads) {
  return static_cast<double>(run(1)) * (rounds / kParts * kParts) * threads;
}

}  // namespace voxelspark
