// What every cuda.cu needs: errors as Failures, launches, and loads of several channels at once. Kernels run on the
// stream of the thread that launches them, that of a queue, so they follow each other like the queue's jobs; unlike the
// default stream it can be captured in a graph (cuda_graph.cu).
//
// The same sources run on a machine without a GPU under the emulator of test/cuda, which brings its own
// cuda_runtime.h and stands in for the two things that C++ cannot say: a launch and a shared array.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>
#include <string>

#include "core/status.h"
#include "device/cuda_elements.cuh"

#ifdef __CUDACC__
#define LAUNCH_KERNEL(kernel, grid, threads, ...) kernel<<<grid, threads, 0, cudaStreamPerThread>>>(__VA_ARGS__)
// SHARED_ARRAY(float, tile, [16][64]): memory of the thread block.
#define SHARED_ARRAY(type, name, extent) __shared__ __align__(16) type name extent
#endif

namespace voxelspark {

// What is to be done about an error. Those of kernels end the process's use of the device: every later call gives them.
inline const char* cure_of(cudaError_t status) {
  switch (status) {
    case cudaErrorMemoryAllocation: return "; use a smaller patch or batch, or dispose tensors earlier";
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
      return "; this build has no code for the GPU: run `npm rebuild voxelspark` on this machine";
    case cudaErrorECCUncorrectable:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
      return "; this process cannot use the GPU any more: start it again and resume from the last checkpoint";
    default: return "";
  }
}

inline Failure failure_of(cudaError_t status, const char* what, const char* cure) {
  cudaGetLastError();  // an error that does not last must not be found by a later launch
  const bool memory = status == cudaErrorMemoryAllocation;
  return Failure(memory ? "OUT_OF_MEMORY" : "DEVICE", std::string(memory ? "out of memory" : "CUDA failed") + " in " +
                                                          what + ": " + cudaGetErrorName(status) + ", " +
                                                          cudaGetErrorString(status) + cure);
}

inline void check_cuda(cudaError_t status, const char* what) {
  if (status != cudaSuccess) throw failure_of(status, what, cure_of(status));
}

// Blocks for a grid-stride loop over n elements: enough to fill any device, few enough for a 32-bit grid.
inline unsigned grid_for(int64_t n, int threads) {
  const int64_t wanted = (n + threads - 1) / threads, most = 1 << 16;
  return static_cast<unsigned>(wanted < 1 ? 1 : wanted < most ? wanted : most);
}

template <class Body>
__global__ void elementwise_kernel(int64_t n, Body body) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) body(i);
}

// Runs body(i) for i in [0, n); body is a `__device__` lambda or functor, passed by value.
template <class Body>
void launch_elementwise(int64_t n, const Body& body, const char* what) {
  constexpr int kThreads = 256;
  LAUNCH_KERNEL(elementwise_kernel<Body>, grid_for(n, kThreads), kThreads, n, body);
  check_cuda(cudaGetLastError(), what);
}

// i / d, mostly in 32 bits, where division is several times faster.
__host__ __device__ inline int64_t quotient(int64_t i, int64_t d) {
  if (((i | d) >> 31) == 0) return static_cast<uint32_t>(i) / static_cast<uint32_t>(d);
  return i / d;
}

template <int V, class Body>
__global__ void channels_kernel(int64_t n, int vectors, Body body) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) {
    const int64_t voxel = quotient(i, vectors);
    body.template run<V>(voxel, static_cast<int>(i - voxel * vectors) * V);
  }
}

// Calls body.run<V>(voxel, channel) for every group of V channels of every voxel; V makes 16 bytes of T where it
// divides `channels` and `wide` allows it, that is where every address is a multiple of 16 bytes.
template <class T = float, class Body>
void launch_channels(int64_t voxels, int64_t channels, bool wide, const Body& body, const char* what) {
  constexpr int kThreads = 256, kMost = kVector<T>;
  wide = wide && channels % kMost == 0;
  const int64_t vectors = wide ? channels / kMost : channels, n = voxels * vectors;
  if (n == 0) return;
  if (wide) LAUNCH_KERNEL((channels_kernel<kMost, Body>), grid_for(n, kThreads), kThreads, n, (int)vectors, body);
  else LAUNCH_KERNEL((channels_kernel<1, Body>), grid_for(n, kThreads), kThreads, n, (int)vectors, body);
  check_cuda(cudaGetLastError(), what);
}

}  // namespace voxelspark
