// Takes the place of CUDA's header under the emulator: conversions of __half as far as native/ uses them.
#pragma once
#include "core/half.h"

struct __half {
  uint16_t bits;
};

inline __half __float2half_rn(float v) { return {voxelspark::Float16::of(v).bits}; }
inline float __half2float(__half v) { return voxelspark::Float16{v.bits}.value(); }
