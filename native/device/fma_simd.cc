// Compiled once per instruction set; see device/simd.h.
#include "device/fma.h"
#include "device/simd.h"

namespace voxelspark {

int64_t SIMD(fma_rounds)(int64_t rounds, float* out) {
  // Enough independent sums to hide the latency, few enough for the registers.
#if defined(__AVX512F__) || defined(__aarch64__)
  constexpr int kSums = 24;
#else
  constexpr int kSums = 12;
#endif
  Vec sum[kSums];
  VS_UNROLL for (int i = 0; i < kSums; i++) sum[i] = all(1.0f + i);
  const Vec factor = all(0.999f), term = all(1e-3f);
  for (int64_t r = 0; r < rounds; r++) VS_UNROLL for (int i = 0; i < kSums; i++) sum[i] = sum[i] * factor + term;
  Vec total = sum[0];
  VS_UNROLL for (int i = 1; i < kSums; i++) total += sum[i];
  *out = total[0];
  return rounds * kSums * kLanes * 2;
}

}  // namespace voxelspark
