// What the kernels' sources and their SIMD files share. No functions: see device/simd.h.
#pragma once
#include <stdint.h>

namespace voxelspark {

constexpr double kPole = -0.26794919243112270647;  // sqrt(3) - 2, of the cubic B-spline
constexpr int64_t kLines = 16;  // lines filtered side by side; a sample of all of them is one row of a tile

// A row of output voxels of an affine resampling.
struct AffineRow {
  const float* volume;  // of one sample, [size z][y][x]: voxels, or spline coefficients where it is cubic
  int64_t size[3];
  double start[3], step[3];  // input place of the first output voxel, and from one to the next
  float outside;
  float* out;
  int64_t count;
};

// Vectors of linear rows, of images and of labels, are for volumes of fewer voxels.
constexpr int64_t kMostPlaces = int64_t{1} << 31;

}  // namespace voxelspark
