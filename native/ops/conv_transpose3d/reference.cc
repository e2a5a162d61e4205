#include "core/voxel_access.h"
#include "ops/conv3d/conv3d.h"
#include "ops/conv_transpose3d/conv_transpose3d.h"

namespace voxelspark {

// Calls visit(tap, channels of x, channels of y) for every stored input voxel and each of the outputs it makes.
template <class T, class Visit>
static void each_pair(Int3 kernel, const Tensor& x, const Tensor& y, const Visit& visit) {
  const VoxelAccess<T> outputs(y.layout, y.as<T>());
  each_voxel(x.layout, x.as<T>(), [&](int64_t n, int64_t z, int64_t qy, int64_t qx, T* in) {
    int64_t tap = 0;
    for (int64_t a = 0; a < kernel.z; a++)
      for (int64_t b = 0; b < kernel.y; b++)
        for (int64_t c = 0; c < kernel.x; c++, tap++)
          visit(tap, in, outputs.at(n, z * kernel.z + a, qy * kernel.y + b, qx * kernel.x + c));
  });
}

void conv_transpose3d_forward_reference(const Descriptor& d, const Launch& l) {
  by_dtype(l.outputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Settled<T> settled(l.inputs, 0, 3, as<ConvTransposeForward>(d).slope);
    const Tensor &x = settled.tensor(), &weight = l.inputs[1], &y = l.outputs[0];
    const Int3 kernel = kernel_of(weight);
    const int64_t taps = kernel.product(), from = x.layout.channels(), to = y.layout.channels();
    const T *w = weight.as<T>(), *bias = present(l.inputs, 2) ? l.inputs[2].as<T>() : nullptr;
    each_pair<T>(kernel, x, y, [&](int64_t tap, const T* in, T* out) {
      for (int64_t o = 0; o < to; o++) {
        T sum = bias ? bias[o] : T{0};
        for (int64_t i = 0; i < from; i++) sum += in[i] * w[(i * taps + tap) * to + o];
        out[o] = sum;
      }
    });
  });
}

void conv_transpose3d_grad_input_reference(const Descriptor&, const Launch& l) {
  by_dtype(l.outputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Tensor &gy = l.inputs[0], &weight = l.inputs[1], &gx = l.outputs[0];
    const Int3 kernel = kernel_of(weight);
    const int64_t taps = kernel.product(), from = gx.layout.channels(), to = gy.layout.channels();
    const T* w = weight.as<T>();
    for (int64_t i = 0; i < gx.layout.stored_elements(); i++) gx.as<T>()[i] = T{0};
    each_pair<T>(kernel, gx, gy, [&](int64_t tap, T* in, const T* g) {
      for (int64_t i = 0; i < from; i++)
        for (int64_t o = 0; o < to; o++) in[i] += g[o] * w[(i * taps + tap) * to + o];
    });
  });
}

void conv_transpose3d_grad_weight_reference(const Descriptor& d, const Launch& l) {
  by_dtype(l.outputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Settled<T> settled(l.inputs, 0, 2, as<ConvTransposeGradWeight>(d).slope);
    const Tensor &x = settled.tensor(), &gy = l.inputs[1];
    const Int3 kernel = kernel_of(l.outputs[0]);
    const int64_t taps = kernel.product(), from = x.layout.channels(), to = gy.layout.channels();
    T *gw = l.outputs[0].as<T>(), *gb = as<ConvTransposeGradWeight>(d).bias ? l.outputs[1].as<T>() : nullptr;
    for (int64_t i = 0; i < l.outputs[0].layout.stored_elements(); i++) gw[i] = T{0};
    for (int64_t o = 0; gb && o < to; o++) gb[o] = T{0};
    each_pair<T>(kernel, x, gy, [&](int64_t tap, const T* in, const T* g) {
      for (int64_t o = 0; gb && o < to; o++) gb[o] += g[o];
      for (int64_t i = 0; i < from; i++)
        for (int64_t o = 0; o < to; o++) gw[(i * taps + tap) * to + o] += in[i] * g[o];
    });
  });
}

}  // namespace voxelspark
