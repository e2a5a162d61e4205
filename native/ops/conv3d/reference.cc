#include <algorithm>

#include "core/voxel_access.h"
#include "ops/conv3d/conv3d.h"

namespace voxelspark {

// Calls visit(tap, channels of x) for every tap of output voxel (n, z, y, x) that reads a stored voxel.
template <class T, class Visit>
static void each_tap(const ConvGeometry& g, const VoxelAccess<T>& x, int64_t n, Int3 output, const Visit& visit) {
  const Int3 first = output * g.stride - g.padding;
  int64_t tap = 0;
  for (int64_t z = 0; z < g.kernel.z; z++)
    for (int64_t y = 0; y < g.kernel.y; y++)
      for (int64_t i = 0; i < g.kernel.x; i++, tap++)
        if (T* channels = x.at(n, first.z + z, first.y + y, first.x + i)) visit(tap, channels);
}

// The inputs with x2 written behind x.
template <class T>
class Joined {
 public:
  Joined(const Inputs& in, size_t x, size_t x2) : inputs_(in) {
    if (!present(in, x2)) return;
    const int64_t a = in[x].layout.channels(), b = in[x2].layout.channels();
    for (int64_t v = 0; v < in[x].layout.voxels(); v++) {
      values_.insert(values_.end(), in[x].as<T>() + v * a, in[x].as<T>() + (v + 1) * a);
      values_.insert(values_.end(), in[x2].as<T>() + v * b, in[x2].as<T>() + (v + 1) * b);
    }
    inputs_[x] = {joined_layout("conv3d", in, x, x2), values_.data()};
  }
  const Inputs& inputs() const { return inputs_; }

 private:
  Inputs inputs_;
  std::vector<T> values_;
};

// Of the gradient of joined maps.
template <class T>
static void split(const std::vector<T>& joined, const std::vector<Tensor>& parts) {
  const T* from = joined.data();
  for (int64_t v = 0; v < parts[0].layout.voxels(); v++)
    for (const Tensor& part : parts) {
      const int64_t c = part.layout.channels();
      std::copy_n(from, c, part.as<T>() + v * c);
      from += c;
    }
}

void conv3d_forward_reference(const Descriptor& d, const Launch& l) {
  by_dtype(l.outputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Joined<T> joined(l.inputs, 0, 4);
    const Settled<T> settled(joined.inputs(), 0, 3, as<ConvForward>(d).slope);
    const Tensor &x = settled.tensor(), &weight = l.inputs[1], &y = l.outputs[0];
    const ConvGeometry geometry{kernel_of(weight), as<ConvForward>(d).stride, as<ConvForward>(d).padding};
    const int64_t taps = geometry.kernel.product(), channels = x.layout.channels();
    const T *w = weight.as<T>(), *bias = present(l.inputs, 2) ? l.inputs[2].as<T>() : nullptr;
    const VoxelAccess<T> access(x.layout, x.as<T>());
    each_voxel(y.layout, y.as<T>(), [&](int64_t n, int64_t oz, int64_t oy, int64_t ox, T* out) {
      for (int64_t k = 0; k < y.layout.channels(); k++) out[k] = bias ? bias[k] : T{0};
      each_tap(geometry, access, n, {oz, oy, ox}, [&](int64_t tap, const T* in) {
        for (int64_t k = 0; k < y.layout.channels(); k++)
          for (int64_t c = 0; c < channels; c++) out[k] += in[c] * w[(k * taps + tap) * channels + c];
      });
    });
    if (as<ConvForward>(d).moments) write_moments<T>(y, l.outputs[1]);
  });
}

void conv3d_grad_input_reference(const Descriptor& d, const Launch& l) {
  by_dtype(l.outputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Tensor &gy = l.inputs[0], &weight = l.inputs[1];
    Layout whole = l.outputs[0].layout;
    whole.shape.dims[1] = weight.layout.shape[1];
    std::vector<T> values(whole.voxels() * whole.channels());
    const Tensor gx{whole, values.data()};
    const ConvGeometry geometry{kernel_of(weight), as<ConvGradInput>(d).stride, as<ConvGradInput>(d).padding};
    const int64_t taps = geometry.kernel.product(), channels = gx.layout.channels();
    const T* w = weight.as<T>();
    const VoxelAccess<T> access(gx.layout, gx.as<T>());
    each_voxel(gy.layout, gy.as<T>(), [&](int64_t n, int64_t oz, int64_t oy, int64_t ox, const T* g) {
      each_tap(geometry, access, n, {oz, oy, ox}, [&](int64_t tap, T* in) {
        for (int64_t k = 0; k < gy.layout.channels(); k++)
          for (int64_t c = 0; c < channels; c++) in[c] += g[k] * w[(k * taps + tap) * channels + c];
      });
    });
    std::vector<Tensor> parts = l.outputs;
    if (present(l.inputs, 2)) {
      write_norm_sums<T>(gx, l.inputs[2], l.inputs[3], as<ConvGradInput>(d).slope, parts.back());
      parts.pop_back();
    }
    split(values, parts);
  });
}

void conv3d_grad_weight_reference(const Descriptor& d, const Launch& l) {
  by_dtype(l.outputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto& a = as<ConvGradWeight>(d);
    const Joined<T> joined(l.inputs, 0, 4);
    const Settled<T> settled_x(joined.inputs(), 0, 2, a.slope), settled_gy(l.inputs, 1, 3, a.slope);
    const Tensor &x = settled_x.tensor(), &gy = settled_gy.tensor();
    const ConvGeometry geometry{a.kernel, a.stride, a.padding};
    const int64_t taps = geometry.kernel.product(), channels = x.layout.channels();
    T *gw = l.outputs[0].as<T>(), *gb = a.bias ? l.outputs[1].as<T>() : nullptr;
    for (int64_t i = 0; i < l.outputs[0].layout.stored_elements(); i++) gw[i] = T{0};
    for (int64_t k = 0; gb && k < gy.layout.channels(); k++) gb[k] = T{0};
    const VoxelAccess<T> access(x.layout, x.as<T>());
    each_voxel(gy.layout, gy.as<T>(), [&](int64_t n, int64_t oz, int64_t oy, int64_t ox, const T* g) {
      for (int64_t k = 0; gb && k < gy.layout.channels(); k++) gb[k] += g[k];
      each_tap(geometry, access, n, {oz, oy, ox}, [&](int64_t tap, const T* in) {
        for (int64_t k = 0; k < gy.layout.channels(); k++)
          for (int64_t c = 0; c < channels; c++) gw[(k * taps + tap) * channels + c] += g[k] * in[c];
      });
    });
  });
}

}  // namespace voxelspark
