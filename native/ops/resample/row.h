// What cpu.cc and cpu_simd.cc share. No functions: see device/simd.h.
#pragma once
#include <stdint.h>

namespace voxelspark {

constexpr int64_t kLines = 16;  // lines filtered side by side; a sample of all of them is one row of a tile

// A row of output voxels of a cubic affine resampling with one channel.
struct CubicRow {
  const float* coefficients;  // of one sample, [size z][y][x]
  int64_t size[3];
  double start[3], step[3];  // input place of the first output voxel, and from one to the next
  float outside;
  float* out;
  int64_t count;
};

// The same for linear resampling, of images and of labels, in volumes of fewer than kMostPlaces voxels.
struct LinearRow {
  const float* volume;  // of one sample, [size z][y][x]
  int64_t size[3];
  double start[3], step[3];
  float outside;
  float* out;
  int64_t count;
};
constexpr int64_t kMostPlaces = int64_t{1} << 31;

}  // namespace voxelspark
