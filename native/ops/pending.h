// Inputs whose normalisation is pending (see core/tensor.h): what kernels that apply it have in common.
#pragma once
#include "ops/checks.h"

namespace voxelspark {

inline Shape affine_shape(int64_t groups, int64_t channels) { return {3, {groups, 3, channels}}; }

// `affine` holds mean, scale and shift of each sample of x, or of all together.
inline void require_affine(const Inputs& in, size_t affine, const Layout& x, double slope, const std::string& op) {
  require(slope >= 0 && slope <= 1, "RANGE", op + ": slope is " + std::to_string(slope) + ", allowed is [0, 1]");
  if (!present(in, affine)) return;
  const Layout& a = in[affine].layout;
  const Shape all = affine_shape(1, x.channels()), each = affine_shape(x.shape.samples(), x.channels());
  require_shape(!a.grid && (a.shape == all || a.shape == each), op + ": affine has shape " + to_string(a.shape) +
                                                                    ", allowed is " + to_string(each) + " or " +
                                                                    to_string(all));
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
