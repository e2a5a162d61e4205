#include <algorithm>
#include <cstring>

#include "device/parallel.h"
#include "ops/conv3d/convolve.h"
#include "ops/folded_conv3d/folded_conv3d.h"
#include "ops/folded_conv3d/place_sums.h"

namespace voxelspark {

DEFINE_KERNEL(folded_conv3d_forward, FoldedConv)
DEFINE_KERNEL(folded_conv3d_constants, FoldedConvConstants)

int64_t FoldedConv::workspace(const Inputs& in) const {
  const ConvGeometry g = same_size(kernel_of(in[1]));
  const Layout y = infer(in)[0];
  const int64_t sparse = convolve_add_workspace(g, winograd, in[0].layout, y);
  return present(in, 4) ? std::max(sparse, convolve_workspace(g, winograd, in[4].layout, y)) : sparse;
}

// table[place][k]: the bias and what a filled neighbourhood of tokens alone gives.
static std::vector<float> constants(const Tensor& weight, const float* token, const float* bias) {
  const int64_t k = weight.layout.shape[0], c = weight.layout.shape[1];
  const Int3 kernel = kernel_of(weight);
  const int64_t taps = kernel.product();
  std::vector<double> tap_sums(taps * k), sums(kPlaces * k);
  parallel_items(k, taps * c, [&](int64_t i) {
    for (int64_t tap = 0; tap < taps; tap++) {
      const float* w = weight.f32() + (i * taps + tap) * c;
      double sum = 0;
      for (int64_t j = 0; j < c; j++) sum += double(w[j]) * token[j];
      tap_sums[tap * k + i] = sum;
    }
  });
  for (int64_t i = 0; bias && i < kPlaces * k; i++) sums[i] = bias[i % k];
  each_tap_inside(kernel, [&](int64_t tap, int64_t place) {
    for (int64_t i = 0; i < k; i++) sums[place * k + i] += tap_sums[tap * k + i];
  });
  return {sums.begin(), sums.end()};
}

// Calls visit(row of y, place of its first voxel) for every row along x.
template <class Visit>
static void each_row(const Layout& y, const Visit& visit) {
  const Int3 size = y.shape.size();
  const int64_t row = size.x * y.channels();
  parallel_items(y.shape.samples() * size.z, size.y * row, [&](int64_t i) {
    for (int64_t r = 0; r < size.y; r++)
      visit((i * size.y + r) * row, place_on(i % size.z, size.z) * 9 + place_on(r, size.y) * 3);
  });
}

// y = the constant of each voxel's place. Rows of one place are copies of one.
static void fill(const Tensor& y, const std::vector<float>& table) {
  const int64_t k = y.layout.channels(), length = y.layout.shape.size().x;
  std::vector<float> rows(9 * length * k);
  for (int64_t i = 0; i < 9 * length; i++)
    std::copy_n(&table[(i / length * 3 + place_on(i % length, length)) * k], k, &rows[i * k]);
  each_row(y.layout, [&](int64_t at, int64_t place) {
    std::memcpy(y.f32() + at, &rows[place / 3 * length * k], length * k * sizeof(float));
  });
}

// y, which holds the inner constant everywhere, gets that of the first and last voxels.
static void correct_border(const Tensor& y, const std::vector<float>& table) {
  const int64_t k = y.layout.channels(), length = y.layout.shape.size().x;
  std::vector<float> difference(table);
  for (int64_t i = 0; i < kPlaces * k; i++) difference[i] -= table[kInner * k + i % k];
  each_row(y.layout, [&](int64_t at, int64_t place) {
    const bool inner = place + 1 == kInner;
    for (int64_t x = 0; x < length; x += inner ? std::max<int64_t>(1, length - 1) : 1) {
      const float* from = &difference[(place + place_on(x, length)) * k];
      float* to = y.f32() + at + x * k;
      for (int64_t i = 0; i < k; i++) to[i] += from[i];
    }
  });
}

void folded_conv3d_forward_cpu(const Descriptor& d, const Launch& l) {
  const auto& a = as<FoldedConv>(d);
  const int64_t winograd = a.winograd;
  const Tensor s = with_pending(l.inputs, 0, 6, a.slope), &weight = l.inputs[1], &y = l.outputs[0];
  const ConvGeometry g = same_size(kernel_of(weight));
  const std::vector<float> table =
      constants(weight, l.inputs[2].f32(), present(l.inputs, 3) ? l.inputs[3].f32() : nullptr);
  if (present(l.inputs, 4)) {
    convolve(g, winograd, l.inputs[4], l.inputs[5], &table[kInner * y.layout.channels()], y, l.workspace);
    correct_border(y, table);
  } else {
    fill(y, table);
  }
  convolve_add(g, winograd, s, weight, y, l.workspace);
}

// gw[i][tap][j] = swapped[j][reversed tap][i] + sums[tap][i] * token[j], in squares that stay in the L1.
static void add_up_weight(const Tensor& swapped, const float* token, const std::vector<double>& sums,
                          const Tensor& gw) {
  constexpr int64_t kSide = 16;
  const int64_t k = gw.layout.shape[0], c = gw.layout.shape[1], taps = gw.layout.shape.size().product();
  const int64_t squares = (k + kSide - 1) / kSide;
  parallel_items(taps * squares, kSide * c, [&](int64_t item) {
    const int64_t tap = item / squares, first = item % squares * kSide, end = std::min(k, first + kSide);
    for (int64_t j = 0; j < c; j++) {
      const float* from = swapped.f32() + (j * taps + taps - 1 - tap) * k;
      for (int64_t i = first; i < end; i++)
        gw.f32()[(i * taps + tap) * c + j] = static_cast<float>(from[i] + sums[tap * k + i] * token[j]);
    }
  });
}

// gtoken[j] = sum over outputs i and taps of weight[i][tap][j] * sums[tap][i]
static void add_up_token(const Tensor& weight, const std::vector<double>& sums, float* gtoken) {
  constexpr int64_t kGrain = 16;
  const int64_t k = weight.layout.shape[0], c = weight.layout.shape[1], taps = kernel_of(weight).product();
  parallel_items((c + kGrain - 1) / kGrain, k * taps * kGrain, [&](int64_t item) {
    const int64_t begin = item * kGrain, end = std::min(c, begin + kGrain);
    double total[kGrain] = {};
    for (int64_t i = 0; i < k; i++)
      for (int64_t tap = 0; tap < taps; tap++) {
        const float* w = weight.f32() + (i * taps + tap) * c;
        for (int64_t j = begin; j < end; j++) total[j - begin] += w[j] * sums[tap * k + i];
      }
    for (int64_t j = begin; j < end; j++) gtoken[j] = static_cast<float>(total[j - begin]);
  });
}

void folded_conv3d_constants_cpu(const Descriptor&, const Launch& l) {
  const Tensor &gy = l.inputs[0], &weight = l.inputs[1];
  const int64_t k = gy.layout.channels();
  const std::vector<double> places = place_sums(gy);
  std::vector<double> sums(kernel_of(weight).product() * k);  // of the outputs whose tap is inside
  each_tap_inside(kernel_of(weight), [&](int64_t tap, int64_t place) {
    for (int64_t i = 0; i < k; i++) sums[tap * k + i] += places[place * k + i];
  });
  add_up_weight(l.inputs[3], l.inputs[2].f32(), sums, l.outputs[0]);
  add_up_token(weight, sums, l.outputs[1].f32());
  for (int64_t i = 0; i < k; i++) {
    double sum = 0;
    for (int64_t place = 0; place < kPlaces; place++) sum += places[place * k + i];
    l.outputs[2].f32()[i] = static_cast<float>(sum);
  }
}

}  // namespace voxelspark
