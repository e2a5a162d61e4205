// Elementwise over stored voxels, 16 bytes a thread; the same bits as the CPU.
#include "device/cuda.cuh"
#include "ops/add/add.h"

namespace voxelspark {

namespace {

struct Sum {
  const float *a, *b;
  float* y;

  __device__ void operator()(int64_t i) const {
    const Channels<4> p = load<4>(a + 4 * i), q = load<4>(b + 4 * i);
    store<4>(y + 4 * i, {{p.v[0] + q.v[0], p.v[1] + q.v[1], p.v[2] + q.v[2], p.v[3] + q.v[3]}});
  }
};

}  // namespace

// The pool rounds sizes up to 512 bytes, so the last group of four may reach beyond the tensor but not its memory.
static void sum(const Tensor& a, const Tensor& b, const Tensor& y, const char* what) {
  launch_elementwise((y.layout.stored_elements() + 3) / 4, Sum{a.f32(), b.f32(), y.f32()}, what);
}

void add_forward_cuda(const Descriptor&, const Launch& l) {
  sum(l.inputs[0], l.inputs[1], l.outputs[0], "add_forward");
}
void accumulate_cuda(const Descriptor&, const Launch& l) { sum(l.inputs[0], l.inputs[1], l.inputs[0], "accumulate"); }

}  // namespace voxelspark
