// The random numbers of lib/random.ts on the device: four normal values from one block of the counter.
#pragma once
#include "device/cuda.cuh"

namespace voxelspark {

struct PhiloxWords {
  uint32_t w[4];
};

// Philox4x32-10: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (SC11)
__host__ __device__ inline PhiloxWords philox(PhiloxWords c, uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; round++) {
    const uint64_t p = uint64_t{0xd2511f53u} * c.w[0], q = uint64_t{0xcd9e8d57u} * c.w[2];
    c = {{static_cast<uint32_t>(q >> 32) ^ c.w[1] ^ k0, static_cast<uint32_t>(q),
          static_cast<uint32_t>(p >> 32) ^ c.w[3] ^ k1, static_cast<uint32_t>(p)}};
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  return c;
}

struct NormalPair {
  float cosine, sine;
};

// Box-Muller: radius from u = (a + 1/2) / 2^32, angle from b / 2^32 turns.
__host__ __device__ inline NormalPair normal_pair(uint32_t a, uint32_t b) {
  // Near 1 a float has no room for u: the logarithm is that of 1 - v, v being exact.
  const bool high = a >> 31;
  const float u = (static_cast<float>(a) + 0.5f) * 0x1p-32f, v = (static_cast<float>(~a) + 0.5f) * 0x1p-32f;
  const float radius = sqrtf(-2.0f * (high ? log1pf(-v) : logf(u)));
  // The nearest quarter turn is taken off as an integer; |r| <= pi / 4 is left.
  const uint32_t quarter = (b + 0x20000000u) >> 30;
  const float r = static_cast<float>(static_cast<int32_t>(b - (quarter << 30))) * (1.57079633f * 0x1p-30f), s = r * r;
  const float sine = r + r * s * (-1.66666667e-1f + s * (8.33333333e-3f + s * (-1.98412698e-4f + s * 2.75573192e-6f)));
  const float cosine =
      1 + s * (-0.5f + s * (4.16666667e-2f + s * (-1.38888889e-3f + s * (2.48015873e-5f - s * 2.75573192e-7f))));
  const bool swapped = quarter & 1;
  const float x = swapped ? sine : cosine, y = swapped ? cosine : sine;
  return {(quarter + 1) & 2 ? -radius * x : radius * x, quarter & 2 ? -radius * y : radius * y};
}

}  // namespace voxelspark
