// What clipping works on: a tensor's samples, slices along an axis (one slice without an axis) and channels, each
// combination a group with a range of its own.
#pragma once
#include "core/host_device.h"
#include "core/shape.h"

namespace voxelspark {

struct Slices {
  int64_t samples, outer, slices, inner, channels;  // [sample][outer][slice][inner][channel]

  static Slices of(int64_t samples, int64_t channels, Int3 size, int64_t axis) {
    if (axis == 0) return {samples, 1, size.z, size.y * size.x, channels};
    if (axis == 1) return {samples, size.z, size.y, size.x, channels};
    if (axis == 2) return {samples, size.z * size.y, size.x, 1, channels};
    return {samples, 1, 1, size.product(), channels};
  }
  HOST_DEVICE int64_t groups() const { return samples * slices * channels; }
  HOST_DEVICE int64_t voxels() const { return outer * inner; }  // of a group
  // Voxel i of a group, as an element of the tensor.
  HOST_DEVICE int64_t element(int64_t group, int64_t i) const {
    const int64_t slice = group / channels, sample = slice / slices, o = i / inner;
    const int64_t row = (sample * outer + o) * slices + (slice - sample * slices);
    return (row * inner + (i - o * inner)) * channels + (group - slice * channels);
  }
  HOST_DEVICE int64_t group_of(int64_t element) const {
    const int64_t voxel = element / channels, row = voxel / inner, plane = row / slices;
    return (plane / outer * slices + (row - plane * slices)) * channels + (element - voxel * channels);
  }
};

}  // namespace voxelspark
