// Squares of a chunk of a tensor a thread block, in double; the sums of all chunks are added in their order.
#include "ops/grad_norm/grad_norm.h"
#include "ops/reduce/cuda_reduce.cuh"
#include "ops/reduce/cuda_tensors.cuh"

namespace voxelspark {

namespace {

using Batch = TensorBatch<1>;

__global__ void square_partials(Batch batch, double* partial) {
  const int tensor = batch.tensor_of(blockIdx.x);
  const int64_t begin = (static_cast<int>(blockIdx.x) - batch.first_chunk[tensor]) * Batch::kChunk;
  const int64_t elements = batch.elements[tensor];
  const int64_t end = begin + Batch::kChunk < elements ? begin + Batch::kChunk : elements;
  const float* x = batch.data[0][tensor];
  double sum = 0;
  for (int64_t i = begin + threadIdx.x; i < end; i += kReduceThreads) sum += static_cast<double>(x[i]) * x[i];
  sum = sum_of_block(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

__global__ void root_of_total(const double* partial, int64_t chunks, const float* scale, double gradient_scale,
                              float* norm) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < chunks; i += kReduceThreads) sum += partial[i];
  sum = sum_of_block(sum);
  if (threadIdx.x == 0) *norm = static_cast<float>(sqrt(sum) / (scale ? *scale : gradient_scale));
}

}  // namespace

void grad_norm_cuda(const Descriptor& d, const Launch& l) {
  double* partial = static_cast<double*>(l.workspace);
  int64_t chunks = 0;
  each_batch<1>(l.inputs.data() + 1, static_cast<int64_t>(l.inputs.size()) - 1, [&](const Batch& batch) {
    LAUNCH_KERNEL(square_partials, static_cast<unsigned>(batch.chunks()), kReduceThreads, batch, partial + chunks);
    check_cuda(cudaGetLastError(), "grad_norm");
    chunks += batch.chunks();
  });
  const float* scale = present(l.inputs, 0) ? l.inputs[0].f32() : nullptr;
  LAUNCH_KERNEL(root_of_total, 1, kReduceThreads, partial, chunks, scale, as<GradNorm>(d).gradient_scale,
                l.outputs[0].f32());
  check_cuda(cudaGetLastError(), "grad_norm");
}

}  // namespace voxelspark
