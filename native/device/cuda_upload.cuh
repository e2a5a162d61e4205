// Small tables that the host makes for a kernel, on their way into its workspace.
#pragma once
#include <algorithm>
#include <cstring>
#include <vector>

#include "device/cuda.cuh"
#include "device/cuda_transfer.cuh"

namespace voxelspark {

struct TablePart {
  static constexpr int kWords = 512;  // of the 4 KiB that a launch carries
  uint32_t words[kWords];
};

static __global__ void put_table(TablePart part, int words, uint32_t* to) {
  for (int i = static_cast<int>(threadIdx.x); i < words; i += static_cast<int>(blockDim.x)) to[i] = part.words[i];
}

// In stream order: kernels launched before still see what was there, kernels launched later the table. A small one
// travels with launches, which a graph can hold.
template <class T>
void upload(const std::vector<T>& table, T* to, const char* what) {
  static_assert(sizeof(T) % sizeof(uint32_t) == 0, "tables are of whole words");
  const int64_t words = static_cast<int64_t>(table.size() * sizeof(T) / sizeof(uint32_t));
  if (words > 8 * TablePart::kWords) return copy_to_device(to, table.data(), words * 4);
  for (int64_t at = 0; at < words; at += TablePart::kWords) {
    TablePart part = {};
    const auto n = static_cast<int>(std::min<int64_t>(TablePart::kWords, words - at));
    std::memcpy(part.words, reinterpret_cast<const char*>(table.data()) + at * 4, static_cast<size_t>(n) * 4);
    LAUNCH_KERNEL(put_table, 1, 128, part, n, reinterpret_cast<uint32_t*>(to) + at);
    check_cuda(cudaGetLastError(), what);
  }
}

struct CopyElements {
  const float* from;
  float* to;
  __device__ void operator()(int64_t i) const { to[i] = from[i]; }
};

}  // namespace voxelspark
