// A convolution, its gradient and its transpose as one thing: destination voxels p = q * step + offset, each the sum
// over taps of source voxel q * jump + tap. A strided gradient is one such lattice per residue of p modulo the stride.
#pragma once
#include <vector>

#include "ops/conv3d/conv3d.h"

namespace voxelspark {

struct Tap {
  Int3 at;         // source voxel is q * jump + at
  int64_t weight;  // z, y, x index into the kernel
};

struct Lattice {
  Int3 step, offset, jump;
  std::vector<Tap> taps;

  Int3 low() const;   // smallest `at` on each axis
  Int3 span() const;  // largest minus smallest
  // Number of q with first <= q * step + offset < end, and the first of them.
  Int3 first_in(Int3 first) const;
  Int3 count_in(Int3 first, Int3 end) const { return first_in(end) - first_in(first); }
};

std::vector<Lattice> forward_lattice(const ConvGeometry& g);
// From the output's gradient back to an input of that size; the classes share out the taps.
std::vector<Lattice> adjoint_lattices(const ConvGeometry& g, Int3 size);

}  // namespace voxelspark
