// What every cuda.cu needs: errors as Failures, and elementwise launches. Kernels run on the default stream, so they
// follow each other in launch order like the jobs of the queue that enqueues them.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>
#include <string>

#include "core/status.h"

namespace voxelspark {

inline void check_cuda(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  throw Failure("DEVICE", std::string("CUDA failed in ") + what + ": " + cudaGetErrorName(status) + ", " +
                              cudaGetErrorString(status));
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
  elementwise_kernel<<<grid_for(n, kThreads), kThreads>>>(n, body);
  check_cuda(cudaGetLastError(), what);
}

}  // namespace voxelspark
