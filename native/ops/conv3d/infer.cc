// Shape inference of conv3d; conv_transpose3d shares the checks.
#include "ops/conv3d/conv3d.h"

namespace voxelspark {

static bool all_at_least(Int3 v, int64_t low) { return v.z >= low && v.y >= low && v.x >= low; }
static bool all_below(Int3 v, Int3 high) { return v.z < high.z && v.y < high.y && v.x < high.x; }

void ConvGeometry::check(const std::string& op, Int3 input) const {
  constexpr int64_t kLimit = 1 << 20;
  const Int3 limit{kLimit, kLimit, kLimit};
  require(all_at_least(kernel, 1) && all_below(kernel, limit), "RANGE",
          op + ": kernel is " + to_string(kernel) + ", allowed are sizes from 1");
  require(all_at_least(stride, 1) && all_below(stride, limit), "RANGE",
          op + ": stride is " + to_string(stride) + ", allowed are steps from 1");
  require(all_at_least(padding, 0) && all_below(padding, kernel), "RANGE",
          op + ": padding is " + to_string(padding) + ", allowed are 0 to one less than the kernel " +
              to_string(kernel));
  require_shape(all_at_least(input + padding + padding - kernel, 0),
                op + ": kernel " + to_string(kernel) + " is larger than the input " + to_string(input) +
                    " with padding " + to_string(padding));
}

void check_winograd(const std::string& op, int64_t winograd) {
  require(winograd >= 0 && winograd <= 4, "RANGE",
          op + ": winograd is " + std::to_string(winograd) +
              ", allowed are 0 (off), 1 (f2), 2 (f4) and, for tests, 3 (always f2) and 4 (always f4)");
}

void check_feature(const std::string& op, const char* what, const Tensor& t) {
  require_shape(t.layout.shape.rank == 5,
                op + ": " + what + " has shape " + to_string(t.layout.shape) + ", allowed is (N, C, D, H, W)");
}

void check_weight(const std::string& op, const Tensor& weight) {
  check_feature(op, "weight", weight);
  require_shape(!weight.layout.grid, op + ": weight has a mask; only feature maps can have one");
}

void check_bias(const std::string& op, const Tensor& bias, int64_t channels) {
  require_shape(bias.layout.shape == vector_shape(channels), op + ": bias has shape " + to_string(bias.layout.shape) +
                                                                 ", allowed is (" + std::to_string(channels) + ")");
}

void check_same_grid(const std::string& op, const std::shared_ptr<const BlockGrid>& a,
                     const std::shared_ptr<const BlockGrid>& b) {
  require_shape(!a || !b || a == b, op + ": the tensors and the attribute must have one and the same mask object");
}

Layout masked_layout(const std::string& op, const Layout& model, int64_t channels, Int3 size,
                     const std::shared_ptr<const BlockGrid>& grid) {
  const Shape shape = feature_shape(model.shape.samples(), channels, size);
  if (grid) {
    require_shape(grid->samples == shape.samples(), op + ": the mask has " + std::to_string(grid->samples) +
                                                        " samples, the tensor " + std::to_string(shape.samples()));
    require_shape(divides(grid->cells, size) && all_at_least(size, 1), op + ": size " + to_string(size) +
                                                                           " is not a multiple of the mask's cells " +
                                                                           to_string(grid->cells));
  }
  return {shape, model.dtype, grid};
}

Layout joined_layout(const std::string& op, const Inputs& in, size_t x, size_t x2) {
  check_feature(op, "x", in[x]);
  Layout joined = in[x].layout;
  if (!present(in, x2)) return joined;
  check_feature(op, "x2", in[x2]);
  const Layout& second = in[x2].layout;
  joined.shape.dims[1] = second.channels();
  require_shape(same_place(joined, second), op + ": x2 " + describe(second) + " does not match x " +
                                                describe(in[x].layout) + " or its mask; only channels may differ");
  joined.shape.dims[1] += in[x].layout.channels();
  return joined;
}

Layouts ConvForward::infer(const Inputs& in) const {
  const std::string op = "conv3d";
  const Layout x = joined_layout(op, in, 0, 4);
  const Tensor& weight = in[1];
  check_weight(op, weight);
  const int64_t c = x.channels(), k = weight.layout.shape[0];
  require_shape(weight.layout.shape[1] == c, op + ": weight " + to_string(weight.layout.shape) + " takes " +
                                                 std::to_string(weight.layout.shape[1]) + " channels, x has " +
                                                 std::to_string(c));
  if (present(in, 2)) check_bias(op, in[2], k);
  const ConvGeometry geometry{kernel_of(weight), stride, padding};
  check_winograd(op, winograd);
  geometry.check(op, x.shape.size());
  check_same_grid(op, x.grid, mask);
  require_affine(in, 3, x, slope, op);
  require(!present(in, 3) || !present(in, 4), "TYPE", op + ": a normalisation pending on x leaves no room for x2");
  const Int3 size = geometry.output_size(x.shape.size());
  Layouts out = {masked_layout(op, x, k, size, mask ? mask : x.grid)};
  if (moments) out.push_back(moments_of(out[0]));
  return out;
}

Layouts ConvGradInput::infer(const Inputs& in) const {
  const std::string op = "conv3d_grad_input";
  const Tensor &gy = in[0], &weight = in[1];
  check_feature(op, "gy", gy);
  check_weight(op, weight);
  require_shape(weight.layout.shape[0] == gy.layout.channels(),
                op + ": weight " + to_string(weight.layout.shape) + " makes " + std::to_string(weight.layout.shape[0]) +
                    " channels, gy has " + std::to_string(gy.layout.channels()));
  const ConvGeometry geometry{kernel_of(weight), stride, padding};
  require_shape(all_at_least(size, 1), op + ": size is " + to_string(size) + ", allowed are sizes from 1");
  check_winograd(op, winograd);
  geometry.check(op, size);
  require_shape(geometry.output_size(size) == gy.layout.shape.size(),
                op + ": an input of size " + to_string(size) + " makes an output of " +
                    to_string(geometry.output_size(size)) + ", gy has " + to_string(gy.layout.shape.size()));
  check_same_grid(op, gy.layout.grid, mask);
  const int64_t c = weight.layout.shape[1];
  require(split >= 0 && split < c, "RANGE",
          op + ": split is " + std::to_string(split) + ", allowed are 0 (one output) to " + std::to_string(c - 1));
  require(present(in, 2) == present(in, 3) && !(split && present(in, 2)), "TYPE",
          op + ": give x and the affine of its normalisation, or neither; they leave no room for `split`");
  if (split)
    return {masked_layout(op, gy.layout, split, size, mask), masked_layout(op, gy.layout, c - split, size, mask)};
  Layouts out = {masked_layout(op, gy.layout, c, size, mask)};
  if (!present(in, 2)) return out;
  require_same(in[2].layout, out[0], op, "x");
  require_affine(in, 3, out[0], slope, op);
  out.push_back(norm_sums_of(out[0]));
  return out;
}

Layouts ConvGradWeight::infer(const Inputs& in) const {
  const std::string op = "conv3d_grad_weight";
  const Layout x = joined_layout(op, in, 0, 4);
  const Tensor& gy = in[1];
  check_feature(op, "gy", gy);
  check_same_grid(op, x.grid, gy.layout.grid);
  require_shape(x.shape.samples() == gy.layout.shape.samples(), op + ": x has " + std::to_string(x.shape.samples()) +
                                                                    " samples, gy has " +
                                                                    std::to_string(gy.layout.shape.samples()));
  const ConvGeometry geometry{kernel, stride, padding};
  check_winograd(op, winograd);
  geometry.check(op, x.shape.size());
  require_shape(geometry.output_size(x.shape.size()) == gy.layout.shape.size(),
                op + ": x of size " + to_string(x.shape.size()) + " makes an output of " +
                    to_string(geometry.output_size(x.shape.size())) + ", gy has " + to_string(gy.layout.shape.size()));
  require_affine(in, 2, x, slope, op);
  require(!present(in, 2) || !present(in, 4), "TYPE", op + ": a normalisation pending on x leaves no room for x2");
  require_affine(in, 3, gy.layout, slope, op);
  require(!present(in, 3) || !(bias || present(in, 2)), "TYPE",
          op + ": a normalisation pending on gy leaves room for no other, nor for the bias");
  const int64_t k = gy.layout.channels(), c = x.channels();
  Layouts out = {wide(x, feature_shape(k, c, kernel))};
  if (bias) out.push_back(wide(x, vector_shape(k)));
  return out;
}

}  // namespace voxelspark
