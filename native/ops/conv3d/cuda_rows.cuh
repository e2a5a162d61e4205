// Destination voxels as rows of a matrix product, class by class of a family of lattices.
#pragma once
#include "ops/conv3d/conv3d.h"
#include "ops/conv3d/cuda_lattice.cuh"

namespace voxelspark {

struct GatherRows {
  LatticeFamily family;
  BlockView source, dest;
  Extent lattice_edge;  // destinations of a class in a block, at most
  int64_t rows;         // of a class, those that turn out not to exist included

  // The row's destination voxel in storage, or -1; `base` is where its taps start.
  __device__ int64_t destination(const DeviceLattice& l, int64_t row, Voxel& base) const {
    base = {0, 0, 0, 0};
    if (row >= rows) return -1;
    const int64_t block = quotient(row, lattice_edge.product());
    const int rest = static_cast<int>(row - block * lattice_edge.product());
    const int plane = rest / lattice_edge.x, qz = plane / lattice_edge.y;
    const Voxel corner = dest.corner_of(block);
    const int z = first(l.z, corner.z) + qz * l.z.step;
    const int y = first(l.y, corner.y) + (plane - qz * lattice_edge.y) * l.y.step;
    const int x = first(l.x, corner.x) + (rest - plane * lattice_edge.x) * l.x.step;
    if (z >= dest.edge.z || y >= dest.edge.y || x >= dest.edge.x) return -1;
    base = l.base_of({corner.n, corner.z + z, corner.y + y, corner.x + x});
    return ((block * dest.edge.z + z) * dest.edge.y + y) * dest.edge.x + x;
  }
  // Of the class, within a block that starts at `corner`.
  __device__ static int first(const Axis& a, int corner) {
    return a.step == 1 ? 0 : ((a.offset - corner) % a.step + a.step) % a.step;
  }
};

inline GatherRows gather_rows(const ConvGeometry& g, bool adjoint, const Layout& source, const Layout& dest) {
  const Int3 edge = dest.edge(), lattice_edge = adjoint ? (edge + g.stride - Int3{1, 1, 1}) / g.stride : edge;
  return {{extent(g.kernel), extent(g.stride), extent(g.padding), adjoint},
          view_of(source),
          view_of(dest),
          extent(lattice_edge),
          dest.blocks() * lattice_edge.product()};
}

}  // namespace voxelspark
