// The engine under every convolution but the weight gradient: matrix products on gathered rows of channels.
//
// Voxels of an item go in groups of one register tile; each reads its source rows through a table of pointers, so one
// code serves any kernel, stride, block edge and mask. Weights are packed once a call into panels of one tile width,
// [panel][tap][source channel][width], zero-padded. Every output is one sum in one order (taps, then channels): how
// voxels are grouped or shared out among threads cannot change a bit.
#pragma once
#include "ops/conv3d/lattice.h"
#include "ops/conv3d/maps.h"

namespace voxelspark {

struct GatherGemm {
  Maps source;
  Tensor dest;
  std::vector<Lattice> lattices;
  // weight[tap][source channel][dest channel] = weights[tap * tap_stride + s * source_stride + d * dest_stride]
  const float* weights;
  int64_t tap_stride, source_stride, dest_stride;
  const float* bias;  // null: none
  bool add = false;   // to what dest, which is dense, holds, and only in items that see a stored source voxel
};

int64_t gather_gemm_workspace(int64_t taps, int64_t source_channels, int64_t dest_channels);  // bytes
void gather_gemm(const GatherGemm& g, void* workspace);

// conv3d forward, and its adjoint as which conv_transpose3d runs; weights are [K][tap][C]. gx may be the part of a
// gradient that begins with channel `first`.
GatherGemm forward_gemm(const ConvGeometry& g, const Maps& x, const Tensor& weight, const float* bias, const Tensor& y);
GatherGemm adjoint_gemm(const ConvGeometry& g, const Tensor& gy, const Tensor& weight, const float* bias,
                        const Tensor& gx, int64_t first = 0);

}  // namespace voxelspark
