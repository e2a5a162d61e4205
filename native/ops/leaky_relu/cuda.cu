// Elementwise over stored voxels, bound by memory: each thread moves 16 bytes at a time. Same arithmetic as the CPU,
// so the same bits. Memory of the pool is aligned to 512 bytes.
#include "device/cuda.cuh"
#include "ops/leaky_relu/leaky_relu.h"

namespace voxelspark {

// y = sign > 0 ? x : slope * x, where `sign` is x itself forward and the output backward.
struct Slope {
  const float *sign, *x;
  float slope, *y;

  __device__ float one(float s, float v) const { return s > 0 ? v : slope * v; }
  __device__ void operator()(int64_t i) const {
    const float4 s = reinterpret_cast<const float4*>(sign)[i], v = reinterpret_cast<const float4*>(x)[i];
    reinterpret_cast<float4*>(y)[i] = {one(s.x, v.x), one(s.y, v.y), one(s.z, v.z), one(s.w, v.w)};
  }
};

// The pool rounds sizes up to 512 bytes, so the last group of four may reach beyond the tensor but not its memory.
static void run(const Slope& slope, int64_t elements, const char* what) {
  launch_elementwise((elements + 3) / 4, slope, what);
}

void leaky_relu_forward_cuda(const Descriptor& d, const Launch& l) {
  const float *x = l.inputs[0].f32(), slope = static_cast<float>(as<LeakyRelu>(d).slope);
  run({x, x, slope, l.outputs[0].f32()}, l.outputs[0].layout.stored_elements(), "leaky_relu_forward");
}

void leaky_relu_backward_cuda(const Descriptor& d, const Launch& l) {
  const float *y = l.inputs[0].f32(), *gy = l.inputs[1].f32(), slope = static_cast<float>(as<LeakyRelu>(d).slope);
  run({y, gy, slope, l.outputs[0].f32()}, l.outputs[0].layout.stored_elements(), "leaky_relu_backward");
}

}  // namespace voxelspark
