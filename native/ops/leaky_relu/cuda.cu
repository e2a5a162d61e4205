// Elementwise over stored voxels, bound by memory: each thread moves 16 bytes at a time. In float32 the
// same arithmetic as the CPU, so the same bits. Memory of the pool is aligned to 512 bytes.
#include "device/cuda.cuh"
#include "ops/leaky_relu/leaky_relu.h"

namespace voxelspark {

// y = sign > 0 ? x : slope * x, where `sign` is x itself forward and the output backward.
template <class T>
struct Slope {
  static constexpr int V = kVector<T>;
  const T *sign, *x;
  float slope;
  T* y;
  int64_t elements;

  __device__ void operator()(int64_t i) const {
    const int64_t left = elements - V * i;
    const Channels<V> s = load_up_to<V>(left, sign + V * i);
    Channels<V> v = load_up_to<V>(left, x + V * i);
    for (int k = 0; k < V; k++) v.v[k] = s.v[k] > 0 ? v.v[k] : slope * v.v[k];
    store_up_to<V>(left, y + V * i, v);
  }
};

static void run(const Descriptor& d, const Tensor& sign, const Tensor& x, const Tensor& y, const char* what) {
  by_element(y.layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const int64_t elements = y.layout.stored_elements();
    const Slope<T> slope{sign.as<T>(), x.as<T>(), static_cast<float>(as<LeakyRelu>(d).slope), y.as<T>(), elements};
    launch_elementwise((elements + kVector<T> - 1) / kVector<T>, slope, what);
  });
}

void leaky_relu_forward_cuda(const Descriptor& d, const Launch& l) {
  run(d, l.inputs[0], l.inputs[0], l.outputs[0], "leaky_relu_forward");
}

void leaky_relu_backward_cuda(const Descriptor& d, const Launch& l) {
  run(d, l.inputs[0], l.inputs[1], l.outputs[0], "leaky_relu_backward");
}

}  // namespace voxelspark
