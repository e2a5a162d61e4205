// Entry points of CUDA, and the engines behind them. Winograd convolution is the CPU's; here the attribute asks for
// nothing.
#include <cstdlib>

#include "device/cuda.cuh"
#include "ops/conv3d/conv3d.h"
#include "ops/conv3d/cuda_convolve.cuh"
#include "ops/conv3d/cuda_engine.h"
#include "ops/conv3d/cuda_gemm.cuh"
#include "ops/conv3d/cuda_halo_conv.cuh"
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

template <class T>
static decltype(&tensor_gemm_cuda<T>) engine_of(ConvEngine engine, const ConvCall& c) {
  const ProductForm form = choose_product_form(compute_capability(), std::getenv("VOXELSPARK_CUDA_WGMMA"));
  if (engine == ConvEngine::tensor_halo)
    return form == ProductForm::warps    ? halo_conv_cuda<T>
           : form == ProductForm::shared ? halo_group_cuda<T, false>
                                         : halo_group_cuda<T, true>;
  const bool groups =
      form != ProductForm::warps && TensorGemmPlan::of_groups(c.geometry, c.adjoint, c.source, c.dest).possible;
  return groups ? group_gemm_cuda<T> : tensor_gemm_cuda<T>;
}

void convolve_cuda(const ConvGeometry& g, bool adjoint, const Tensor& source, const Tensor& weight, const float* bias,
                   const Tensor& dest, void* workspace) {
  const ConvCall call{g, adjoint, source.layout, dest.layout};
  const ConvEngine engine = choose_engine(call);
  if (engine == ConvEngine::gather)
    return adjoint ? adjoint_gemm_cuda(g, source, weight, bias, dest)
                   : forward_gemm_cuda(g, source, weight, bias, dest);
  const bool bf16 = source.layout.dtype == DType::bfloat16;
  const auto run = bf16 ? engine_of<__nv_bfloat16>(engine, call) : engine_of<__half>(engine, call);
  run(g, adjoint, source, weight, bias, dest, workspace);
}

void convolve_weight_cuda(const ConvGeometry& g, const Tensor& x, const Tensor& gy, const Tensor& gw, void* workspace) {
  const ConvEngine engine = choose_weight_engine(g, x.layout, gy.layout);
  if (engine == ConvEngine::gather) return weight_gradient_cuda(g, x, gy, gw, workspace);
  const bool halo = engine == ConvEngine::tensor_halo, bf16 = x.layout.dtype == DType::bfloat16;
  const auto run = halo   ? bf16 ? halo_weight_cuda<__nv_bfloat16> : halo_weight_cuda<__half>
                     : bf16 ? tensor_weight_cuda<__nv_bfloat16>
                          : tensor_weight_cuda<__half>;
  run(g, x, gy, gw, workspace);
}

static void require_one_map(bool one, const char* op) {
  require(one, "DEVICE", std::string(op) + " does not read or write joined maps on CUDA; concat them");
}

void conv3d_forward_cuda(const Descriptor& d, const Launch& l) {
  require_one_map(!present(l.inputs, 4), "conv3d_forward");
  const auto& a = as<ConvForward>(d);
  const float* bias = present(l.inputs, 2) ? l.inputs[2].f32() : nullptr;
  const ConvGeometry g{kernel_of(l.inputs[1]), a.stride, a.padding};
  convolve_cuda(g, false, l.inputs[0], l.inputs[1], bias, l.outputs[0], l.workspace);
}

void conv3d_grad_input_cuda(const Descriptor& d, const Launch& l) {
  require_one_map(as<ConvGradInput>(d).split == 0, "conv3d_grad_input");
  const auto& a = as<ConvGradInput>(d);
  require(!present(l.inputs, 2), "DEVICE", "conv3d_grad_input: sums for a normalisation are not left on CUDA");
  const ConvGeometry g{kernel_of(l.inputs[1]), a.stride, a.padding};
  convolve_cuda(g, true, l.inputs[0], l.inputs[1], nullptr, l.outputs[0], l.workspace);
}

void conv3d_grad_weight_cuda(const Descriptor& d, const Launch& l) {
  require_one_map(!present(l.inputs, 4), "conv3d_grad_weight");
  const auto& a = as<ConvGradWeight>(d);
  convolve_weight_cuda({a.kernel, a.stride, a.padding}, l.inputs[0], l.inputs[1], l.outputs[0], l.workspace);
  if (a.bias) channel_sums_cuda(l.inputs[1], l.outputs[1], l.workspace);
}

}  // namespace voxelspark
