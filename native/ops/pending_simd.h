// A pending normalisation on vectors of channels, for SIMD files. Every reader applies it by this function, so that
// forward and backward take the same side of the activation's kink.
#pragma once
#include "device/simd.h"

namespace voxelspark {
SIMD_NAMESPACE(simd) {

template <class V>
VS_INLINE V affine_of(V x, V mean, V scale, V shift) {
  return (x - mean) * scale + shift;
}
template <class V>
VS_INLINE V activated(V z, V value, float slope) {
  return z > 0 ? value : value * slope;
}

}  // SIMD_NAMESPACE(simd)
}  // namespace voxelspark
