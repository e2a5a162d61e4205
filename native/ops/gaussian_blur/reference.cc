#include "ops/gaussian_blur/gaussian_blur.h"
#include "ops/resample/spline.h"

namespace voxelspark {

void gaussian_blur_reference(const Descriptor& d, const Launch& l) {
  const auto& op = as<GaussianBlur>(d);
  const Int3 size = l.inputs[0].layout.shape.size();
  const std::vector<double> wz = blur_weights(op.sigma[0]), wy = blur_weights(op.sigma[1]),
                            wx = blur_weights(op.sigma[2]);
  const auto place = [](int64_t i, size_t k, const std::vector<double>& w, int64_t n) {
    return mirrored(i + static_cast<int64_t>(k) - static_cast<int64_t>(w.size() / 2), n);
  };
  by_dtype(l.inputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const int64_t samples = l.inputs[0].layout.shape.samples();
    const T* x = l.inputs[0].as<T>();
    T* y = l.outputs[0].as<T>();
    for (int64_t n = 0; n < samples; n++, x += size.product())
      for (int64_t i = 0; i < size.product(); i++) {
        const Int3 p = {i / (size.y * size.x), i / size.x % size.y, i % size.x};
        double sum = 0;
        for (size_t a = 0; a < wz.size(); a++)
          for (size_t b = 0; b < wy.size(); b++)
            for (size_t c = 0; c < wx.size(); c++)
              sum += wz[a] * wy[b] * wx[c] *
                     x[(place(p.z, a, wz, size.z) * size.y + place(p.y, b, wy, size.y)) * size.x +
                       place(p.x, c, wx, size.x)];
        *y++ = static_cast<T>(sum);
      }
  });
}

}  // namespace voxelspark
