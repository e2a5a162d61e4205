// Many tensors in one launch: as many as the parameters of a kernel have room for.
#pragma once
#include "core/tensor.h"
#include "device/cuda.cuh"
#include "ops/reduce/tensor_chunks.h"

namespace voxelspark {

// Chunk i of a launch belongs to the last tensor whose first chunk is not beyond i.
template <int Roles>
struct TensorBatch {
  static constexpr int kMost = 48;
  static constexpr int64_t kChunk = kCudaChunk;  // elements; thread blocks take one chunk each

  float* data[Roles][kMost];
  int64_t elements[kMost];
  int first_chunk[kMost + 1];

  __device__ int tensor_of(int chunk) const {
    int low = 0, high = kMost;
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      if (first_chunk[middle] <= chunk) low = middle;
      else high = middle;
    }
    return low;
  }
  int chunks() const { return first_chunk[kMost]; }
};

// Calls run(batch) for as many batches as `count` tensors make; tensor t of role r is list[r * count + t].
template <int Roles, class Run>
void each_batch(const Tensor* list, int64_t count, const Run& run) {
  using Batch = TensorBatch<Roles>;
  for (int64_t first = 0; first < count; first += Batch::kMost) {
    Batch batch = {};
    for (int t = 0; t < Batch::kMost; t++) {
      const bool exists = first + t < count;
      const int64_t elements = exists ? list[first + t].layout.stored_elements() : 0;
      for (int r = 0; r < Roles && exists; r++) batch.data[r][t] = list[r * count + first + t].f32();
      batch.elements[t] = elements;
      batch.first_chunk[t + 1] = batch.first_chunk[t] + static_cast<int>(cuda_chunks(elements));
    }
    if (batch.chunks()) run(batch);
  }
}

}  // namespace voxelspark
