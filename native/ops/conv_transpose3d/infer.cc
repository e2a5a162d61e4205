#include "ops/conv3d/conv3d.h"
#include "ops/conv_transpose3d/conv_transpose3d.h"

namespace voxelspark {

Layouts ConvTransposeForward::infer(const Inputs& in) const {
  const std::string op = "conv_transpose3d";
  const Tensor &x = in[0], &weight = in[1];
  check_feature(op, "x", x);
  check_weight(op, weight);
  require_shape(weight.layout.shape[0] == x.layout.channels(),
                op + ": weight " + to_string(weight.layout.shape) + " takes " + std::to_string(weight.layout.shape[0]) +
                    " channels, x has " + std::to_string(x.layout.channels()));
  require_affine(in, 3, x.layout, slope, op);
  const int64_t channels = weight.layout.shape[1];
  if (present(in, 2)) check_bias(op, in[2], channels);
  return {masked_layout(op, x.layout, channels, x.layout.shape.size() * kernel_of(weight), x.layout.grid)};
}

Layouts ConvTransposeGradInput::infer(const Inputs& in) const {
  const std::string op = "conv_transpose3d_grad_input";
  const Tensor &gy = in[0], &weight = in[1];
  check_feature(op, "gy", gy);
  check_weight(op, weight);
  require_shape(weight.layout.shape[1] == gy.layout.channels(),
                op + ": weight " + to_string(weight.layout.shape) + " makes " + std::to_string(weight.layout.shape[1]) +
                    " channels, gy has " + std::to_string(gy.layout.channels()));
  const Int3 kernel = kernel_of(weight), size = gy.layout.shape.size();
  require_shape(divides(kernel, size),
                op + ": gy of size " + to_string(size) + " is not a multiple of the kernel " + to_string(kernel));
  return {masked_layout(op, gy.layout, weight.layout.shape[0], size / kernel, gy.layout.grid)};
}

Layouts ConvTransposeGradWeight::infer(const Inputs& in) const {
  const std::string op = "conv_transpose3d_grad_weight";
  const Tensor &x = in[0], &gy = in[1];
  check_feature(op, "x", x);
  check_feature(op, "gy", gy);
  require_shape(x.layout.grid == gy.layout.grid, op + ": x and gy must have one and the same mask object");
  require_shape(x.layout.shape.samples() == gy.layout.shape.samples(),
                op + ": x has " + std::to_string(x.layout.shape.samples()) + " samples, gy has " +
                    std::to_string(gy.layout.shape.samples()));
  const Int3 from = x.layout.shape.size(), to = gy.layout.shape.size();
  require_shape(divides(from, to),
                op + ": gy of size " + to_string(to) + " is not a multiple of x of size " + to_string(from));
  require_affine(in, 2, x.layout, slope, op);
  const int64_t channels = gy.layout.channels();
  Layouts out = {wide(x.layout, feature_shape(x.layout.channels(), channels, to / from))};
  if (bias) out.push_back(wide(x.layout, vector_shape(channels)));
  return out;
}

}  // namespace voxelspark
