#include "ops/folded_conv3d/folded_conv3d.h"

namespace voxelspark {

static void check_kernel(const std::string& op, Int3 kernel, Int3 size) {
  const auto fits = [](int64_t k, int64_t n) { return k == 1 || (k == 3 && n >= 2); };
  require_shape(fits(kernel.z, size.z) && fits(kernel.y, size.y) && fits(kernel.x, size.x),
                op + ": kernel " + to_string(kernel) + " over " + to_string(size) +
                    ", allowed are 1, and 3 over axes of at least 2 voxels");
}

Layouts FoldedConv::infer(const Inputs& in) const {
  const std::string op = "folded_conv3d";
  const Tensor &s = in[0], &weight = in[1];
  check_feature(op, "s", s);
  check_weight(op, weight);
  require_shape(s.layout.grid != nullptr, op + ": s " + to_string(s.layout.shape) + " is dense, it must have a mask");
  const int64_t c = s.layout.channels(), k = weight.layout.shape[0];
  const Int3 size = s.layout.shape.size(), kernel = kernel_of(weight);
  require_shape(weight.layout.shape[1] == c, op + ": weight " + to_string(weight.layout.shape) + " takes " +
                                                 std::to_string(weight.layout.shape[1]) + " channels, s has " +
                                                 std::to_string(c));
  check_winograd(op, winograd);
  check_kernel(op, kernel, size);
  require_token(in, 2, c);
  require_affine(in, 6, s.layout, slope, op);
  if (present(in, 3)) check_bias(op, in[3], k);
  require(present(in, 4) == present(in, 5), "TYPE", op + ": give up and its weight, or neither");
  if (present(in, 4)) {
    const Layout &up = in[4].layout, &up_weight = in[5].layout;
    require_dense(up, op, "up");
    check_weight(op, in[5]);
    require_shape(up.shape == feature_shape(s.layout.shape.samples(), up.channels(), size),
                  op + ": up " + to_string(up.shape) + " and s " + to_string(s.layout.shape) +
                      " differ in more than channels");
    require_shape(up_weight.shape == feature_shape(k, up.channels(), kernel),
                  op + ": the weight of up has shape " + to_string(up_weight.shape) + ", allowed is " +
                      to_string(feature_shape(k, up.channels(), kernel)));
  }
  return {plain(s.layout, feature_shape(s.layout.shape.samples(), k, size))};
}

Layouts FoldedConvConstants::infer(const Inputs& in) const {
  const std::string op = "folded_conv3d_constants";
  const Layout &gy = in[0].layout, &weight = in[1].layout, &swapped = in[3].layout;
  require_dense(gy, op, "gy");
  check_weight(op, in[1]);
  require_shape(weight.shape[0] == gy.channels(), op + ": weight " + to_string(weight.shape) + " makes " +
                                                      std::to_string(weight.shape[0]) + " channels, gy has " +
                                                      std::to_string(gy.channels()));
  check_kernel(op, weight.shape.size(), gy.shape.size());
  require_token(in, 2, weight.shape[1]);
  const Shape wanted = feature_shape(weight.shape[1], weight.shape[0], weight.shape.size());
  require_shape(swapped.shape == wanted && !swapped.grid,
                op + ": swapped has shape " + to_string(swapped.shape) + ", allowed is " + to_string(wanted));
  return {weight, in[2].layout, wide(gy, vector_shape(gy.channels()))};
}

}  // namespace voxelspark
