// Inputs whose normalisation is pending (see core/tensor.h): what kernels that apply it have in common.
#pragma once
#include "core/text.h"
#include "ops/checks.h"

namespace voxelspark {

inline Shape affine_shape(int64_t groups, int64_t channels) { return {3, {groups, 3, channels}}; }

// `affine` holds mean, scale and shift of each sample of x, or of all together.
inline void require_affine(const Inputs& in, size_t affine, const Layout& x, double slope, const std::string& op) {
  require(slope >= 0 && slope <= 1, "RANGE", op + ": slope is " + text_of(slope) + ", allowed is [0, 1]");
  if (!present(in, affine)) return;
  const Layout& a = in[affine].layout;
  const Shape all = affine_shape(1, x.channels()), each = affine_shape(x.shape.samples(), x.channels());
  require_shape(!a.grid && (a.shape == all || a.shape == each), op + ": affine has shape " + to_string(a.shape) +
                                                                    ", allowed is " + to_string(each) + " or " +
                                                                    to_string(all));
}

// Mean and sum of squared deviations of each sample and channel of y, which its maker leaves for a normalisation.
inline Layout moments_of(const Layout& y) { return wide(y, {3, {y.shape.samples(), 2, y.channels()}}); }
inline void require_moments(const Inputs& in, size_t moments, const Layout& y, const std::string& op) {
  if (present(in, moments)) require_same(in[moments].layout, moments_of(y), op, "moments");
}
// What the maker of a gradient g leaves for the normalisation pending on the map whose gradient it is: see
// reduce/norm_sums.h.
inline Layout norm_sums_of(const Layout& g) { return moments_of(g); }

// The same by plain loops, for reference kernels.
template <class T>
void write_moments(const Tensor& y, const Tensor& moments) {
  const int64_t c = y.layout.channels();
  const T* from = y.as<T>();
  for (int64_t n = 0; n < y.layout.shape.samples(); n++) {
    const int64_t voxels = y.layout.voxels_of(n);
    T* to = moments.as<T>() + n * 2 * c;
    for (int64_t k = 0; k < c; k++) {
      double mean = 0, m2 = 0;
      for (int64_t i = 0; i < voxels; i++) mean += static_cast<double>(from[i * c + k]) / static_cast<double>(voxels);
      for (int64_t i = 0; i < voxels; i++) m2 += (from[i * c + k] - mean) * (from[i * c + k] - mean);
      to[k] = static_cast<T>(mean);
      to[c + k] = static_cast<T>(m2);
    }
    from += voxels * c;
  }
}

// Sums over g, the gradient of what is pending on x (see reduce/norm_sums.h), for reference kernels.
template <class T>
void write_norm_sums(const Tensor& g, const Tensor& x, const Tensor& affine, double slope, const Tensor& sums) {
  const int64_t c = x.layout.channels(), groups = affine.layout.shape[0];
  const T *from = x.as<T>(), *gradient = g.as<T>();
  std::vector<double> found(sums.layout.shape.elements());
  for (int64_t n = 0; n < x.layout.shape.samples(); n++) {
    const T* a = affine.as<T>() + (groups > 1 ? n * 3 * c : 0);
    for (int64_t i = 0, all = x.layout.voxels_of(n) * c; i < all; i++, from++, gradient++) {
      const int64_t k = i % c;
      const T z = (*from - a[k]) * a[c + k] + a[2 * c + k], d = z > 0 ? *gradient : static_cast<T>(slope) * *gradient;
      found[n * 2 * c + k] += d;
      found[(n * 2 + 1) * c + k] += static_cast<double>(d) * (*from - a[k]);
    }
  }
  for (size_t i = 0; i < found.size(); i++) sums.as<T>()[i] = static_cast<T>(found[i]);
}

// Input x as its reader is to see it.
inline Tensor with_pending(const Inputs& in, size_t x, size_t affine, double slope) {
  Tensor t = in[x];
  if (!present(in, affine)) return t;
  const Shape& s = in[affine].layout.shape;
  t.pending = {in[affine].f32(), s[0] > 1 ? s[1] * s[2] : 0, static_cast<float>(slope)};
  return t;
}

// The same written out, for reference kernels.
template <class T>
class Settled {
 public:
  Settled(const Inputs& in, size_t x, size_t affine, double slope) : tensor_(in[x]) {
    if (!present(in, affine)) return;
    const int64_t c = tensor_.layout.channels(), groups = in[affine].layout.shape[0];
    const T* from = tensor_.as<T>();
    values_.reserve(tensor_.layout.stored_elements());
    for (int64_t n = 0; n < tensor_.layout.shape.samples(); n++) {
      const T* a = in[affine].as<T>() + (groups > 1 ? n * 3 * c : 0);
      for (int64_t i = 0, all = tensor_.layout.voxels_of(n) * c; i < all; i++, from++) {
        const T z = (*from - a[i % c]) * a[c + i % c] + a[2 * c + i % c];
        values_.push_back(z > 0 ? z : static_cast<T>(slope) * z);
      }
    }
    tensor_.data = values_.data();
  }
  const Tensor& tensor() const { return tensor_; }

 private:
  Tensor tensor_;
  std::vector<T> values_;
};

}  // namespace voxelspark
