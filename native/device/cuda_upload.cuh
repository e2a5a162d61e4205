// Small tables that the host makes for a kernel, on their way into its workspace.
#pragma once
#include <vector>

#include "device/cuda.cuh"

namespace voxelspark {

// In stream order: kernels launched before still see what was there, kernels launched later the table.
template <class T>
void upload(const std::vector<T>& table, T* to, const char* what) {
  if (table.empty()) return;
  check_cuda(cudaMemcpy(to, table.data(), table.size() * sizeof(T), cudaMemcpyHostToDevice), what);
}

struct CopyElements {
  const float* from;
  float* to;
  __device__ void operator()(int64_t i) const { to[i] = from[i]; }
};

}  // namespace voxelspark
