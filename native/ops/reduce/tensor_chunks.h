// Many tensors as one list of equal pieces of work, so that a launch over hundreds of small parameters is balanced.
#pragma once
#include <cstdint>
#include <vector>

#include "core/tensor.h"

namespace voxelspark {

struct TensorChunk {
  int64_t tensor, begin, elements;
};

// The first `tensors` of a list, none of whose chunks straddles tensors.
inline std::vector<TensorChunk> tensor_chunks(const std::vector<Tensor>& list, int64_t tensors) {
  constexpr int64_t kMost = 1 << 15;
  std::vector<TensorChunk> chunks;
  for (int64_t t = 0; t < tensors; t++)
    for (int64_t begin = 0, all = list[t].layout.stored_elements(); begin < all; begin += kMost)
      chunks.push_back({t, begin, all - begin < kMost ? all - begin : kMost});
  return chunks;
}

// The same for CUDA: a thread block takes one chunk.
constexpr int64_t kCudaChunk = 1 << 14;
inline int64_t cuda_chunks(int64_t elements) { return (elements + kCudaChunk - 1) / kCudaChunk; }

}  // namespace voxelspark
