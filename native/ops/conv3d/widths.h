// Numbers of channels as vectors hold them, for the sources that are not compiled for one instruction set.
#pragma once
#include <cstdint>

namespace voxelspark {

constexpr int64_t kWidestVector = 16;  // floats

inline int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

}  // namespace voxelspark
