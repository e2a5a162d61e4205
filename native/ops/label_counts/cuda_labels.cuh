// Labels and regions on the device: a bit for every label of a region.
#pragma once
#include "device/cuda_upload.cuh"
#include "ops/label_counts/label_counts.h"

namespace voxelspark {

// The label that a value holds; -1 where it holds none.
__host__ __device__ inline int label_of(float v) {
  if (!(v >= 0 && v < static_cast<float>(kLabels))) return -1;
  const int label = static_cast<int>(v);
  return static_cast<float>(label) == v ? label : -1;
}

struct RegionBits {
  const uint32_t* words;
  bool ignores;
  float ignored;

  __host__ __device__ bool holds(int label) const { return label >= 0 && (words[label >> 5] >> (label & 31) & 1); }
  __host__ __device__ bool counts(float reference) const { return !(ignores && reference == ignored); }
};

// For all regions, one after the other.
inline std::vector<uint32_t> region_bits(const Regions& regions) {
  std::vector<uint32_t> bits(regions.count() * CountParts::kWords);
  for (int64_t r = 0; r < regions.count(); r++)
    for (int64_t i = regions.first_of(r), end = regions.first_of(r + 1); i < end; i++) {
      const auto label = static_cast<int64_t>(regions.labels[i]);
      bits[r * CountParts::kWords + label / 32] |= 1u << label % 32;
    }
  return bits;
}

inline RegionBits region_of(const Regions& regions, const uint32_t* bits, int64_t region) {
  const bool ignores = !regions.ignore.empty();
  return {bits + region * CountParts::kWords, ignores, ignores ? static_cast<float>(regions.ignore[0]) : 0.0f};
}

}  // namespace voxelspark
