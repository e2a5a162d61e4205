// Convolution of a masked feature map whose masked voxels hold a constant token, without ever writing the filled map:
//   filled[u] = token + s[u] at visible voxels u, token at masked ones   (s = features - token, stored sparse)
//   y[v, k] = bias[k] + sum over taps t inside the volume, channels c of filled[v + t, c] * weight[k, t, c]
//                     + sum over taps t, channels c of up[v + t, c] * up_weight[k, t, c]     (where there is an up)
// The token's part of that sum depends only on which taps are inside: on whether v is the first, an inner or the last
// voxel of each axis. See README.md. Kernels of 1 or 3 voxels, stride 1, the size stays.
#pragma once
#include "core/host_device.h"
#include "device/parts.h"
#include "ops/conv3d/conv3d.h"
#include "ops/densify/densify.h"

namespace voxelspark {

// The 27 kinds of places, z * 9 + y * 3 + x: 0 first, 1 inner, 2 last voxel of an axis.
constexpr int64_t kPlaces = 27, kInner = 13;
HOST_DEVICE inline int64_t place_on(int64_t i, int64_t size) { return i == 0 ? 0 : i == size - 1 ? 2 : 1; }
// Whether a tap of an axis reads the volume from such a place.
HOST_DEVICE inline bool tap_inside(int64_t tap, int64_t kernel, int64_t place) {
  return !(tap < kernel / 2 && place == 0) && !(tap > kernel / 2 && place == 2);
}
// The same for a tap and a place of three axes.
HOST_DEVICE inline bool tap_inside(int64_t tap, Int3 kernel, int64_t place) {
  return tap_inside(tap / (kernel.y * kernel.x), kernel.z, place / 9) &&
         tap_inside(tap / kernel.x % kernel.y, kernel.y, place / 3 % 3) &&
         tap_inside(tap % kernel.x, kernel.x, place % 3);
}
// Calls visit(tap, place) for the taps that are inside from each place.
template <class Visit>
void each_tap_inside(Int3 kernel, const Visit& visit) {
  for (int64_t place = 0; place < kPlaces; place++)
    for (int64_t tap = 0; tap < kernel.product(); tap++)
      if (tap_inside(tap, kernel, place)) visit(tap, place);
}

inline ConvGeometry same_size(Int3 kernel) { return {kernel, {1, 1, 1}, kernel / Int3{2, 2, 2}}; }

// Inputs: s, weight, token, bias?, up?, up_weight?, affine? of s, with a leaky ReLU of `slope`.
struct FoldedConv : Descriptor {
  int64_t winograd = 0;
  double slope = 1;

  void fields(FieldVisitor& v) override {
    v.field("winograd", winograd);
    v.field("slope", slope);
  }
  Layouts infer(const Inputs& in) const override;
  int64_t workspace(const Inputs& in) const override;
  int64_t cuda_workspace(const Inputs& in) const override;
};

// What the constant parts add to the gradients. Inputs: gy, weight, token, swapped: the gradient of a weight
// (C, K, kD, kH, kW) that would make s from gy, which is the share of s in gw with K and C swapped and taps reversed.
// Outputs: gw, gtoken (without the share of s), gbias.
struct FoldedConvConstants : Descriptor {
  void fields(FieldVisitor&) override {}
  Layouts infer(const Inputs& in) const override;
  int64_t cuda_workspace(const Inputs& in) const override;
};

}  // namespace voxelspark
