#include "core/voxel_access.h"
#include "ops/folded_conv3d/folded_conv3d.h"

namespace voxelspark {

// Calls visit(tap, z, y, x) for the voxels that an output reads, those outside of the volume left out.
template <class Visit>
static void each_read(Int3 kernel, Int3 size, Int3 v, const Visit& visit) {
  for (int64_t tap = 0; tap < kernel.product(); tap++) {
    const Int3 t{tap / (kernel.y * kernel.x), tap / kernel.x % kernel.y, tap % kernel.x};
    const Int3 u = v + t - kernel / Int3{2, 2, 2};
    if (u.z >= 0 && u.y >= 0 && u.x >= 0 && u.z < size.z && u.y < size.y && u.x < size.x) visit(tap, u);
  }
}

void folded_conv3d_forward_reference(const Descriptor& d, const Launch& l) {
  by_dtype(l.outputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Settled<T> settled(l.inputs, 0, 6, as<FoldedConv>(d).slope);
    const Tensor &s = settled.tensor(), &weight = l.inputs[1], &y = l.outputs[0];
    const bool has_up = present(l.inputs, 4);
    const int64_t c = s.layout.channels(), uc = has_up ? l.inputs[4].layout.channels() : 0;
    const Int3 kernel = kernel_of(weight), size = y.layout.shape.size();
    const int64_t taps = kernel.product();
    const T *w = weight.as<T>(), *token = l.inputs[2].as<T>(), *uw = has_up ? l.inputs[5].as<T>() : nullptr;
    const T* bias = present(l.inputs, 3) ? l.inputs[3].as<T>() : nullptr;
    const VoxelAccess<T> visible(s.layout, s.as<T>()),
        up((has_up ? l.inputs[4] : y).layout, has_up ? l.inputs[4].as<T>() : nullptr);
    each_voxel(y.layout, y.as<T>(), [&](int64_t n, int64_t z, int64_t oy, int64_t x, T* out) {
      for (int64_t k = 0; k < y.layout.channels(); k++) out[k] = bias ? bias[k] : T(0);
      each_read(kernel, size, {z, oy, x}, [&](int64_t tap, Int3 u) {
        const T *offset = visible.at(n, u.z, u.y, u.x), *from = has_up ? up.at(n, u.z, u.y, u.x) : nullptr;
        for (int64_t k = 0; k < y.layout.channels(); k++) {
          for (int64_t i = 0; i < c; i++)
            out[k] += (token[i] + (offset ? offset[i] : T(0))) * w[(k * taps + tap) * c + i];
          for (int64_t i = 0; i < uc; i++) out[k] += from[i] * uw[(k * taps + tap) * uc + i];
        }
      });
    });
  });
}

void folded_conv3d_constants_reference(const Descriptor&, const Launch& l) {
  by_dtype(l.outputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Tensor &gy = l.inputs[0], &weight = l.inputs[1];
    const int64_t k = weight.layout.shape[0], c = weight.layout.shape[1];
    const Int3 kernel = kernel_of(weight);
    const int64_t taps = kernel.product();
    const T *w = weight.as<T>(), *token = l.inputs[2].as<T>(), *swapped = l.inputs[3].as<T>();
    T *gw = l.outputs[0].as<T>(), *gtoken = l.outputs[1].as<T>(), *gbias = l.outputs[2].as<T>();
    std::vector<double> sums(taps * k), all(k);  // of the outputs whose tap is inside
    each_voxel(gy.layout, gy.as<T>(), [&](int64_t, int64_t z, int64_t y, int64_t x, const T* g) {
      for (int64_t i = 0; i < k; i++) all[i] += g[i];
      each_read(kernel, gy.layout.shape.size(), {z, y, x}, [&](int64_t tap, Int3) {
        for (int64_t i = 0; i < k; i++) sums[tap * k + i] += g[i];
      });
    });
    for (int64_t i = 0; i < k; i++) gbias[i] = static_cast<T>(all[i]);
    for (int64_t j = 0; j < c; j++) {
      double sum = 0;
      for (int64_t tap = 0; tap < taps; tap++)
        for (int64_t i = 0; i < k; i++) {
          const int64_t at = (i * taps + tap) * c + j;
          gw[at] = static_cast<T>(swapped[(j * taps + taps - 1 - tap) * k + i] + sums[tap * k + i] * token[j]);
          sum += w[at] * sums[tap * k + i];
        }
      gtoken[j] = static_cast<T>(sum);
    }
  });
}

}  // namespace voxelspark
