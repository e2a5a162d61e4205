// A thread makes the four values of one block of the counter and adds them to every sample.
#include "ops/gaussian_noise/cuda_normal.cuh"
#include "ops/gaussian_noise/gaussian_noise.h"

namespace voxelspark {

namespace {

struct AddNoise {
  uint32_t key[2], step, index, purpose;
  float sigma;
  int64_t voxels, samples;
  float* x;

  __device__ void operator()(int64_t block) const {
    const PhiloxWords random = philox({{static_cast<uint32_t>(block), step, index, purpose}}, key[0], key[1]);
    const NormalPair p = normal_pair(random.w[0], random.w[1]), q = normal_pair(random.w[2], random.w[3]);
    const Channels<4> noise = {{sigma * p.cosine, sigma * p.sine, sigma * q.cosine, sigma * q.sine}};
    for (int64_t n = 0; n < samples; n++) add(noise, x + n * voxels + block * 4, voxels - block * 4);
  }
  __device__ void add(const Channels<4>& noise, float* to, int64_t left) const {
    if (voxels % 4 == 0) {
      Channels<4> sum = load<4>(to);
#pragma unroll
      for (int i = 0; i < 4; i++) sum.v[i] += noise.v[i];
      store<4>(to, sum);
      return;
    }
#pragma unroll
    for (int i = 0; i < 4; i++)
      if (i < left) to[i] += noise.v[i];
  }
};

}  // namespace

void gaussian_noise_cuda(const Descriptor& d, const Launch& l) {
  const auto& op = as<GaussianNoise>(d);
  if (op.sigma == 0) return;
  const Shape& shape = l.inputs[0].layout.shape;
  const int64_t voxels = shape.size().product();
  const auto word = [](int64_t v) { return static_cast<uint32_t>(v); };
  const AddNoise body{{word(op.seed), word(op.seed >> 32)}, word(op.step), word(op.index),  word(op.purpose),
                      static_cast<float>(op.sigma),         voxels,        shape.samples(), l.inputs[0].f32()};
  launch_elementwise((voxels + 3) / 4, body, "gaussian_noise");
}

}  // namespace voxelspark
