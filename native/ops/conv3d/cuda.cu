// Entry points of CUDA, and the engines behind them. Winograd convolution is the CPU's; here the attribute asks for
// nothing.
#include <cstdlib>

#include "device/cuda.cuh"
#include "ops/conv3d/conv3d.h"
#include "ops/conv3d/cuda_cells.cuh"
#include "ops/conv3d/cuda_convolve.cuh"
#include "ops/conv3d/cuda_engine.h"
#include "ops/conv3d/cuda_gemm.cuh"
#include "ops/conv3d/cuda_halo_conv.cuh"
#include "ops/conv3d/cuda_plan.h"
#include "ops/conv3d/cuda_pointwise.cuh"
#include "ops/conv3d/cuda_stem.cuh"
#include "ops/conv3d/cuda_tensor_gemm.cuh"
#include "ops/conv3d/cuda_tensor_weight.cuh"
#include "ops/reduce/cuda_reduce.cuh"

namespace voxelspark {

static int compute_capability() {
  int major = 0, minor = 0;
  check_cuda(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0), "a look at the device");
  check_cuda(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0), "a look at the device");
  return 10 * major + minor;
}

static ProductForm product_form() {
  const ProductForm form = choose_product_form(compute_capability(), std::getenv("VOXELSPARK_CUDA_WGMMA"));
  require(form == ProductForm::warps || has_group_code(), "DEVICE",
          "VOXELSPARK_CUDA_WGMMA is set, but this build has no code for sm_90a: rebuild with VOXELSPARK_CUDA_ARCH=90a");
  return form;
}

static bool gathers_by_groups(ProductForm form, const ConvCall& c) {
  return form != ProductForm::warps && TensorGemmPlan::of_groups(c.geometry, c.adjoint, c.source, c.dest).possible;
}

template <class T>
static decltype(&tensor_gemm_cuda<T>) tensor_engine(ConvEngine engine, const ConvCall& c) {
  const ProductForm form = product_form();
  if (engine == ConvEngine::tensor_gather) return gathers_by_groups(form, c) ? group_gemm_cuda<T> : tensor_gemm_cuda<T>;
  switch (form) {
    case ProductForm::shared: return halo_group_cuda<T, false>;
    case ProductForm::registers: return halo_group_cuda<T, true>;
    case ProductForm::warps: break;
  }
  return halo_conv_cuda<T>;
}

template <class T>
static void convolve_16_bit(ConvEngine engine, const ConvCall& c, const Tensor& source, const Tensor& weight,
                            const ConvStore& store, const Tensor& dest, void* workspace) {
  if (engine == ConvEngine::pointwise) return pointwise_adjoint_cuda<T>(source, weight, store, dest);
  if (engine == ConvEngine::stem) return stem_conv_cuda<T>(source, weight, store, dest);
  tensor_engine<T>(engine, c)(c.geometry, c.adjoint, source, weight, store, dest, workspace);
}

void convolve_cuda(const ConvGeometry& g, bool adjoint, const Tensor& source, const Tensor& weight,
                   const ConvStore& store, const Tensor& dest, void* workspace) {
  const ConvCall call{g, adjoint, source.layout, dest.layout, adjoint ? dest.first_channels : source.first_channels};
  const ConvEngine engine = choose_engine(call);
  if (engine == ConvEngine::gather)
    return adjoint ? adjoint_gemm_cuda(g, source, weight, store, dest)
                   : forward_gemm_cuda(g, source, weight, store, dest);
  const auto run = source.layout.dtype == DType::bfloat16 ? convolve_16_bit<__nv_bfloat16> : convolve_16_bit<__half>;
  run(engine, call, source, weight, store, dest, workspace);
}

template <class T>
static void convolve_weight_16_bit(ConvEngine engine, const ConvGeometry& g, const Tensor& x, const Tensor& gy,
                                   const Tensor& gw, void* workspace) {
  if (engine == ConvEngine::pointwise) return pointwise_weight_cuda<T>(x, gy, gw, workspace);
  if (engine == ConvEngine::stem) return stem_weight_cuda<T>(x, gy, gw, workspace);
  const auto run = engine == ConvEngine::tensor_halo ? halo_weight_cuda<T> : tensor_weight_cuda<T>;
  run(g, x, gy, gw, workspace);
}

void convolve_weight_cuda(const ConvGeometry& g, const Tensor& x, const Tensor& gy, const Tensor& gw, void* workspace) {
  const ConvEngine engine = choose_weight_engine(g, x.layout, gy.layout, x.first_channels);
  if (engine == ConvEngine::gather) return weight_gradient_cuda(g, x, gy, gw, workspace);
  const auto run =
      x.layout.dtype == DType::bfloat16 ? convolve_weight_16_bit<__nv_bfloat16> : convolve_weight_16_bit<__half>;
  run(engine, g, x, gy, gw, workspace);
}

// What the statistics of a convolution came by.
static MomentSlots slots_of(const ConvCall& c) {
  const BlockView y = view_of(c.dest);
  const ConvEngine engine = choose_engine(c);
  switch (engine) {
    case ConvEngine::stem:
    case ConvEngine::tensor_halo: {
      const bool stem = engine == ConvEngine::stem;
      const int depth = stem ? kTileDepth : halo_depth(product_form(), c.dest.channels());
      const CellTiles tiles = cell_tiles(c.dest, cells_of(c), depth);
      const int64_t blocks = c.dest.blocks();
      return {y, 0, blocks ? tiles.count / blocks : 0};
    }
    case ConvEngine::tensor_gather: {
      const bool groups = gathers_by_groups(product_form(), c);
      const auto plan = groups ? TensorGemmPlan::of_groups : TensorGemmPlan::of;
      const bool whole = plan(c.geometry, c.adjoint, c.source, c.dest).splits == 1;
      return {y, whole ? kTensorRows : kFewestRows, 0};
    }
    case ConvEngine::gather: return {y, kConvTile, 0};
    case ConvEngine::pointwise: break;  // an adjoint, which has none
  }
  return {y, 1, 0};
}

static Tensor joined(const Tensor& first, const Tensor& second) {
  Tensor both = first;
  both.layout.shape.dims[1] += second.layout.channels();
  both.first_channels = first.layout.channels();
  both.second = second.data;
  return both;
}

// x, with what is pending on it; or x and x2.
static Tensor source_of(const Inputs& in, size_t affine, double slope) {
  return present(in, 4) ? joined(in[0], in[4]) : with_pending(in, 0, affine, slope);
}

void conv3d_forward_cuda(const Descriptor& d, const Launch& l) {
  const auto& a = as<ConvForward>(d);
  const Tensor x = source_of(l.inputs, 3, a.slope), &weight = l.inputs[1], &y = l.outputs[0];
  const ConvGeometry g{kernel_of(weight), a.stride, a.padding};
  ConvStore store{present(l.inputs, 2) ? l.inputs[2].f32() : nullptr};
  if (!a.moments) return convolve_cuda(g, false, x, weight, store, y, l.workspace);
  const ConvCall call{g, false, x.layout, y.layout, x.first_channels};
  Parts parts(static_cast<char*>(l.workspace) + whole_lines(convolution_workspace(call)));
  const MomentsMemory memory(parts, y.layout, cells_of(call));
  store.moments = {memory.partial, memory.counts, static_cast<int>(y.layout.channels())};
  convolve_cuda(g, false, x, weight, store, y, l.workspace);
  merge_moments_cuda(slots_of(call), memory, y.layout, store.bias, l.outputs[1].f32());
}

void conv3d_grad_input_cuda(const Descriptor& d, const Launch& l) {
  const auto& a = as<ConvGradInput>(d);
  require(!present(l.inputs, 2), "DEVICE", "conv3d_grad_input: sums for a normalisation are not left on CUDA");
  const ConvGeometry g{kernel_of(l.inputs[1]), a.stride, a.padding};
  const Tensor gx = a.split ? joined(l.outputs[0], l.outputs[1]) : l.outputs[0];
  convolve_cuda(g, true, l.inputs[0], l.inputs[1], {}, gx, l.workspace);
}

void conv3d_grad_weight_cuda(const Descriptor& d, const Launch& l) {
  const auto& a = as<ConvGradWeight>(d);
  const Tensor x = source_of(l.inputs, 2, a.slope), gy = with_pending(l.inputs, 1, 3, a.slope);
  convolve_weight_cuda({a.kernel, a.stride, a.padding}, x, gy, l.outputs[0], l.workspace);
  if (a.bias) channel_sums_cuda(l.inputs[1], l.outputs[1], l.workspace);
}

}  // namespace voxelspark
