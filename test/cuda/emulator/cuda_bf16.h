// Takes the place of CUDA's header under the emulator: conversions of __nv_bfloat16 as far as native/ uses them.
#pragma once
#include "core/half.h"

struct __nv_bfloat16 {
  uint16_t bits;
};

inline __nv_bfloat16 __float2bfloat16_rn(float v) { return {voxelspark::BFloat16::of(v).bits}; }
// Towards zero.
inline __nv_bfloat16 __float2bfloat16_rz(float v) {
  return v != v ? __float2bfloat16_rn(v) : __nv_bfloat16{static_cast<uint16_t>(voxelspark::bits_of(v) >> 16)};
}
inline float __bfloat162float(__nv_bfloat16 v) { return voxelspark::BFloat16{v.bits}.value(); }
