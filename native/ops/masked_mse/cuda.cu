// Forward: squared differences of fixed splits of the elements, added in order in double. Backward: elementwise.
#include "ops/masked_mse/masked_mse.h"
#include "ops/reduce/cuda_reduce.cuh"

namespace voxelspark {

namespace {

struct Pair {
  BlockView dense, mask;
  bool masked;  // whether there is a mask; without one every voxel counts
  int64_t elements, channels;
  const float *prediction, *target;

  __device__ bool counts(int64_t element) const {
    return !masked || mask.block_at(dense.position(quotient(element, channels))) < 0;
  }
};

__global__ void loss_partials(Pair pair, int64_t split, double* partial) {
  const int64_t begin = blockIdx.x * split, end = begin + split < pair.elements ? begin + split : pair.elements;
  double sum = 0;
  for (int64_t i = begin + threadIdx.x; i < end; i += kReduceThreads) {
    if (!pair.counts(i)) continue;
    const float difference = pair.target[i] - pair.prediction[i];
    sum += static_cast<double>(difference) * difference;
  }
  sum = sum_of_block(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

__global__ void loss_total(const double* partial, int64_t splits, double count, float* loss) {
  double sum = 0;
  for (int64_t s = threadIdx.x; s < splits; s += kReduceThreads) sum += partial[s];
  sum = sum_of_block(sum);
  if (threadIdx.x == 0) *loss = count > 0 ? static_cast<float>(sum / count) : 0.0f;
}

struct Difference {
  Pair pair;
  const float* gloss;
  float scale;                   // 2 / elements that count
  float *gprediction, *gtarget;  // gtarget may be null

  __device__ void operator()(int64_t i) const {
    const float g = pair.counts(i) ? *gloss * scale * (pair.prediction[i] - pair.target[i]) : 0.0f;
    gprediction[i] = g;
    if (gtarget) gtarget[i] = -g;
  }
};

Pair pair_of(const MaskedMse& op, const Launch& l) {
  const Layout& layout = l.inputs[0].layout;
  return {view_of(layout),    view_of(op.mask, layout.shape.size()),
          op.mask != nullptr, layout.stored_elements(),
          layout.channels(),  l.inputs[0].f32(),
          l.inputs[1].f32()};
}

}  // namespace

void masked_mse_forward_cuda(const Descriptor& d, const Launch& l) {
  const auto& op = as<MaskedMse>(d);
  const Pair pair = pair_of(op, l);
  const ElementSplits splits = ElementSplits::of(pair.elements);
  double* partial = static_cast<double*>(l.workspace);
  const auto count = static_cast<double>(op.count(l.inputs[0].layout));
  LAUNCH_KERNEL(loss_partials, static_cast<unsigned>(splits.splits), kReduceThreads, pair, splits.elements, partial);
  LAUNCH_KERNEL(loss_total, 1, kReduceThreads, partial, splits.splits, count, l.outputs[0].f32());
  check_cuda(cudaGetLastError(), "masked_mse_forward");
}

void masked_mse_backward_cuda(const Descriptor& d, const Launch& l) {
  const auto& op = as<MaskedMseBackward>(d);
  const int64_t count = op.count(l.inputs[0].layout);
  const Pair pair = pair_of(op, l);
  const float scale = count ? static_cast<float>(2.0 / static_cast<double>(count)) : 0.0f;
  float* gtarget = op.target_gradient ? l.outputs[1].f32() : nullptr;
  launch_elementwise(pair.elements, Difference{pair, l.inputs[2].f32(), scale, l.outputs[0].f32(), gtarget},
                     "masked_mse_backward");
}

}  // namespace voxelspark
