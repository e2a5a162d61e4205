// Elementwise over the chunks of many tensors. The norm stays on the device: every thread reads it, and with one that
// is not finite nothing changes.
#include <cfloat>

#include "ops/reduce/cuda_tensors.cuh"
#include "ops/sgd/sgd.h"

namespace voxelspark {

namespace {

constexpr int kThreads = 256;

struct Step {
  const float *norm, *rate, *scale;  // may be null
  double clip, gradient_scale;       // without a scale
  float lr, momentum, weight_decay;  // lr without a rate
  bool nesterov;

  __device__ bool usable() const { return !norm || fabsf(*norm) <= FLT_MAX; }
  __device__ float clipping() const {
    const double factor = norm && clip > 0 ? clip / (*norm + 1e-6) : 1;
    return static_cast<float>((factor < 1 ? factor : 1) / (scale ? *scale : gradient_scale));
  }
};

template <int Roles>
__global__ void sgd_kernel(TensorBatch<Roles> batch, Step step) {
  if (!step.usable()) return;
  using Batch = TensorBatch<Roles>;
  const int tensor = batch.tensor_of(blockIdx.x);
  const int64_t begin = (static_cast<int>(blockIdx.x) - batch.first_chunk[tensor]) * Batch::kChunk;
  const int64_t elements = batch.elements[tensor];
  const int64_t end = begin + Batch::kChunk < elements ? begin + Batch::kChunk : elements;
  float* w = batch.data[0][tensor];
  const float* gradient = batch.data[1][tensor];
  const float clipping = step.clipping(), lr = step.rate ? *step.rate : step.lr;
  for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
    const float g = clipping * gradient[i] + step.weight_decay * w[i];
    float change = g;
    if constexpr (Roles == 3) {
      float* v = batch.data[Roles - 1][tensor];
      const float velocity = step.momentum * v[i] + g;
      v[i] = velocity;
      change = step.nesterov ? g + step.momentum * velocity : velocity;
    }
    w[i] -= lr * change;
  }
}

template <int Roles>
void run(const Launch& l, int64_t parameters, const Step& step) {
  each_batch<Roles>(l.inputs.data() + Sgd::kScalars, parameters, [&](const TensorBatch<Roles>& batch) {
    LAUNCH_KERNEL(sgd_kernel<Roles>, static_cast<unsigned>(batch.chunks()), kThreads, batch, step);
    check_cuda(cudaGetLastError(), "sgd");
  });
}

}  // namespace

void sgd_cuda(const Descriptor& d, const Launch& l) {
  const auto& op = as<Sgd>(d);
  const auto scalar = [&](size_t i) { return present(l.inputs, i) ? l.inputs[i].f32() : nullptr; };
  const Step step{scalar(0),
                  scalar(1),
                  scalar(2),
                  op.clip,
                  op.gradient_scale,
                  static_cast<float>(op.lr),
                  static_cast<float>(op.momentum),
                  static_cast<float>(op.weight_decay),
                  op.nesterov};
  if (op.momentum > 0) run<3>(l, op.parameters(l.inputs), step);
  else run<2>(l, op.parameters(l.inputs), step);
}

}  // namespace voxelspark
