// Takes the place of CUDA's header when kernels are compiled by g++ for the emulator: the language as far as native/
// uses it, and the runtime functions that native/device calls. See emulator.h for what is emulated and what is not.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "emulator.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define threadIdx (emulator::thread_index())
#define blockIdx (emulator::block_index)
#define blockDim (emulator::block_size)
#define gridDim (emulator::grid_size)

#define LAUNCH_KERNEL(kernel, grid, threads, ...) LAUNCH_KERNEL_SHARED(kernel, grid, threads, 0, __VA_ARGS__)
#define LAUNCH_KERNEL_SHARED(kernel, grid, threads, bytes, ...) \
  emulator::launch(emulator::Index(grid), emulator::Index(threads), bytes, [&] { (kernel)(__VA_ARGS__); })
#define SHARED_ARRAY(type, name, extent) \
  using name##_array = type extent;      \
  name##_array& name = *static_cast<name##_array*>(emulator::shared_memory(__COUNTER__, sizeof(name##_array)))

using dim3 = emulator::Index;

struct alignas(16) float4 {
  float x, y, z, w;
};

inline void __syncthreads() { emulator::barrier(__builtin_return_address(0)); }

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorSystemDriverMismatch = 803,
  cudaErrorLaunchFailure = 719
};
enum cudaDeviceAttr {
  cudaDevAttrMultiProcessorCount = 16,
  cudaDevAttrComputeCapabilityMajor = 75,
  cudaDevAttrComputeCapabilityMinor = 76
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2 };
using cudaStream_t = void*;
struct cudaDeviceProp {
  char name[256];
  int major, minor;
};
constexpr int CUDART_VERSION = 13000;

cudaError_t cudaGetLastError();
const char* cudaGetErrorName(cudaError_t error);
const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device);
cudaError_t cudaMalloc(void** memory, size_t bytes);
cudaError_t cudaFree(void* memory);
cudaError_t cudaMallocAsync(void** memory, size_t bytes, cudaStream_t stream);
cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream);
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind);
cudaError_t cudaDeviceSynchronize();
