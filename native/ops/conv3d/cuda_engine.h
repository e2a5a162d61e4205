// Which kernel computes a convolution of 16-bit feature maps; decided from shapes, by the addon, which reserves the
// workspace, and by the backend alike.
#pragma once
#include "ops/conv3d/cuda_tensor_plan.h"

namespace voxelspark {

// A convolution or, with `adjoint`, its adjoint: the gradient of the input, and a transposed convolution.
struct ConvCall {
  ConvGeometry geometry;
  bool adjoint;
  Layout source, dest;
  // Where the source or, with `adjoint`, the destination is two joined maps: the channels of the first; 0: one map.
  int64_t split = 0;
};

// gather: any shape, without tensor cores. tensor_gather: source channels in multiples of 8. tensor_halo: 3 x 3 x 3
// kernels of stride 1 on channels in multiples of 32 and blocks of edges from 8. A first map's channels must be a
// multiple of 8 too, but for the map that tensor_gather writes. pointwise: of kernels of one voxel the gradients that
// none of these takes. stem: as tensor_halo, from up to 4 channels.
enum class ConvEngine { gather, tensor_gather, tensor_halo, pointwise, stem };

// Between maps of the same voxels, of which one has a multiple of 8 channels and `other` has not.
inline bool is_pointwise(const ConvGeometry& g, const Layout& vectors, const Layout& other, int64_t split) {
  const Int3 one{1, 1, 1}, none{0, 0, 0};
  return g.kernel == one && g.stride == one && g.padding == none && vectors.grid == other.grid && split == 0 &&
         vectors.channels() % 8 == 0 && other.channels() % 8 != 0;
}

// Tiles that stick out of their cells compute voxels that do not exist; beyond this share the gather GEMM does less.
inline bool fills_halo_tiles(const Layout& source, const Layout& dest) {
  const auto grid = dest.grid ? dest.grid : source.grid;
  const Int3 edge = dest.shape.size() / (grid ? grid->cells : Int3{1, 1, 1});
  const auto whole = [](int64_t n, int64_t tile) { return tiles_of(n, tile) * tile; };
  const int64_t computed = whole(edge.z, kTileDepth) * whole(edge.y, kTileEdge) * whole(edge.x, kTileEdge);
  return computed <= 2 * edge.product();
}

// Channels that tensor-core kernels load, and those on halo tiles store, at once; they must not go on into another map.
constexpr int64_t kRunChannels = 8;

inline ConvEngine choose_engine(const ConvCall& c) {
  if (!is_16_bit(c.source.dtype)) return ConvEngine::gather;
  if (c.adjoint && is_pointwise(c.geometry, c.dest, c.source, c.split)) return ConvEngine::pointwise;
  if (!c.adjoint && c.split == 0 && StemPlan::of(c.geometry, c.source, c.dest).possible &&
      fills_halo_tiles(c.source, c.dest))
    return ConvEngine::stem;
  const bool whole_runs = c.split % kRunChannels == 0;
  if (whole_runs && HaloPlan::of(c.geometry, c.source, c.dest).possible && fills_halo_tiles(c.source, c.dest))
    return ConvEngine::tensor_halo;
  const bool possible = TensorGemmPlan::of(c.geometry, c.adjoint, c.source, c.dest).possible;
  return possible && (whole_runs || c.adjoint) ? ConvEngine::tensor_gather : ConvEngine::gather;
}

// The same for gradients of weights, where both maps must suit; `split` is that of x.
inline ConvEngine choose_weight_engine(const ConvGeometry& g, const Layout& x, const Layout& gy, int64_t split = 0) {
  if (!is_16_bit(x.dtype) || split % kRunChannels) return ConvEngine::gather;
  if (is_pointwise(g, x, gy, split)) return ConvEngine::pointwise;
  if (split == 0 && StemPlan::of(g, x, gy).possible && fills_halo_tiles(x, gy)) return ConvEngine::stem;
  if (HaloWeightPlan::of(g, x, gy).possible && fills_halo_tiles(x, gy)) return ConvEngine::tensor_halo;
  return TensorWeightPlan::of(g, x, gy).possible ? ConvEngine::tensor_gather : ConvEngine::gather;
}

// By which instructions products are made: of warps, for every device, or of warpgroups, which only compute capability
// 9.0 has; of those, the kernel on halo tiles has its tiles in shared memory or in registers.
enum class ProductForm { warps, shared, registers };

// `capability` is 10 times the device's; `wish` is one of the names, or null. Warps until a device has shown the others
// to be right and faster.
inline ProductForm choose_product_form(int capability, const char* wish) {
  const std::string name = wish ? wish : "off";
  if (name == "off") return ProductForm::warps;
  require(name == "shared" || name == "registers", "DEVICE",
          "VOXELSPARK_CUDA_WGMMA is '" + name + "', allowed are off, shared and registers");
  require(capability == 90, "DEVICE",
          "VOXELSPARK_CUDA_WGMMA is " + name + ", which needs compute capability 9.0; the device has " +
              std::to_string(capability / 10) + "." + std::to_string(capability % 10));
  return name == "shared" ? ProductForm::shared : ProductForm::registers;
}

// Of the gather GEMM, by either form, as the one who reserves does not know the device.
inline int64_t gather_workspace(const ConvCall& c) {
  const auto groups = TensorGemmPlan::of_groups(c.geometry, c.adjoint, c.source, c.dest);
  const int64_t by_warps = TensorGemmPlan::of(c.geometry, c.adjoint, c.source, c.dest).bytes();
  return std::max(by_warps, groups.possible ? groups.bytes() : 0);
}

// Planes of the tiles of y that a form computes; see cuda_halo_conv.cu and cuda_halo_group.cu.
inline int halo_depth(ProductForm form, int64_t channels) {
  return form == ProductForm::warps || channels % 128 == 0 ? kTileDepth : 2 * kTileDepth;
}

inline const std::shared_ptr<const BlockGrid>& cells_of(const ConvCall& c) {
  return c.dest.grid ? c.dest.grid : c.source.grid;
}

inline int64_t convolution_workspace(const ConvCall& c) {
  switch (choose_engine(c)) {
    case ConvEngine::tensor_halo: return HaloPlan::of(c.geometry, c.source, c.dest).packed_bytes;
    case ConvEngine::tensor_gather: return gather_workspace(c);
    case ConvEngine::gather:
    case ConvEngine::pointwise:
    case ConvEngine::stem: return 0;
  }
  return 0;
}

}  // namespace voxelspark
