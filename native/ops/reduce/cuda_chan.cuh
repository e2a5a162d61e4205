// Mean and sum of squared deviations of values that came in parts.
#pragma once
#include "device/cuda.cuh"

namespace voxelspark {

struct Moments {
  double voxels, mean, m2;

  // Chan, Golub and LeVeque's pairwise formula.
  __device__ void merge(const Moments& other) {
    if (other.voxels == 0) return;
    const double total = voxels + other.voxels, delta = other.mean - mean;
    mean += delta * (other.voxels / total);
    m2 += other.m2 + delta * delta * (voxels * other.voxels / total);
    voxels = total;
  }
};

}  // namespace voxelspark
