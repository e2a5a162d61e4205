// Which source voxels a destination voxel reads: lattice.h for the device, axis by axis. A convolution, its gradient
// and its transpose differ in nothing else.
#pragma once
#include "device/cuda_grid.cuh"

namespace voxelspark {

// Destination p = q * step + offset reads source q * jump + first + j * by with the weight of tap `weight` +
// j * weight_by, 0 <= j < count.
struct Axis {
  int step, offset, jump, first, by, weight, weight_by, count;
};

// n / d of no negative n, mostly by 1 or 2.
__host__ __device__ inline int by_stride(int n, int d) { return d == 1 ? n : d == 2 ? n >> 1 : n / d; }

__host__ __device__ inline Axis forward_axis(int kernel, int stride, int padding) {
  return {1, 0, stride, -padding, 1, 0, 1, kernel};
}

// Output o reads input p = o * stride + t - padding; p = q * stride + residue is read by o = q + (residue + padding -
// t) / stride for the taps t that leave no remainder, t0, t0 + stride, ...
__host__ __device__ inline Axis adjoint_axis(int kernel, int stride, int padding, int residue) {
  const int first = by_stride(residue + padding, stride), t0 = residue + padding - first * stride;
  const int count = t0 < kernel ? by_stride(kernel - t0 + stride - 1, stride) : 0;
  return {stride, residue, 1, first, -1, t0, stride, count};
}

struct DeviceLattice {
  Axis z, y, x;
  Extent kernel;

  __host__ __device__ int taps() const { return z.count * y.count * x.count; }
  // Index into the kernel of tap (jz, jy, jx).
  __host__ __device__ int64_t weight_of(int jz, int jy, int jx) const {
    const int64_t row = static_cast<int64_t>(z.weight + jz * z.weight_by) * kernel.y + y.weight + jy * y.weight_by;
    return row * kernel.x + x.weight + jx * x.weight_by;
  }
  // Source voxel of a tap for a destination whose first tap is at `base`.
  __host__ __device__ Voxel source(Voxel base, int jz, int jy, int jx) const {
    return {base.n, base.z + jz * z.by, base.y + jy * y.by, base.x + jx * x.by};
  }
  __host__ __device__ static int base_on(const Axis& a, int p) {
    return by_stride(p - a.offset, a.step) * a.jump + a.first;
  }
  __host__ __device__ Voxel base_of(Voxel dest) const {
    return {dest.n, base_on(z, dest.z), base_on(y, dest.y), base_on(x, dest.x)};
  }
};

// The classes of destinations by their residue; one class forward.
struct LatticeFamily {
  Extent kernel, stride, padding;
  bool adjoint;

  __host__ __device__ int64_t classes() const { return adjoint ? stride.product() : 1; }
  __host__ __device__ DeviceLattice lattice(int64_t c) const {
    if (!adjoint)
      return {forward_axis(kernel.z, stride.z, padding.z), forward_axis(kernel.y, stride.y, padding.y),
              forward_axis(kernel.x, stride.x, padding.x), kernel};
    const int row = by_stride(static_cast<int>(c), stride.x), z = by_stride(row, stride.y);
    const int x = static_cast<int>(c) - row * stride.x, y = row - z * stride.y;
    return {adjoint_axis(kernel.z, stride.z, padding.z, z), adjoint_axis(kernel.y, stride.y, padding.y, y),
            adjoint_axis(kernel.x, stride.x, padding.x, x), kernel};
  }
};

// Walks the sum over (tap, channel), channels innermost.
struct SumCursor {
  int channel, z, y, x;

  __device__ SumCursor(const DeviceLattice& l, int k, int channels) {
    const int tap = k / channels, row = l.x.count ? tap / l.x.count : 0;
    channel = k - tap * channels;
    x = tap - row * l.x.count;
    z = l.y.count ? row / l.y.count : 0;
    y = row - z * l.y.count;
  }
  // Whether it came to another tap.
  __device__ bool advance(const DeviceLattice& l, int by, int channels) {
    channel += by;
    const bool moved = channel >= channels;
    while (channel >= channels) {
      channel -= channels;
      if (++x < l.x.count) continue;
      x = 0;
      if (++y < l.y.count) continue;
      y = 0;
      z++;
    }
    return moved;
  }
  __device__ bool ended(const DeviceLattice& l) const { return z >= l.z.count || l.x.count == 0 || l.y.count == 0; }
};

}  // namespace voxelspark
