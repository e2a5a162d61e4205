// Global memory as kernels reach it: the allocations of the runtime that are live.
#pragma once
#include <cstdint>

#include "machine.h"

namespace ptx {

// The allocation that was used last, which mostly is the next one.
struct Extent {
  uint64_t begin = 0, end = 0;
};
extern Extent recent_extent;
uint8_t* find_global(uint64_t address, uint32_t bytes, uint32_t alignment, const char* what);

inline uint8_t* reach_global(uint64_t address, uint32_t bytes, uint32_t alignment, const char* what) {
  const bool near =
      address >= recent_extent.begin && address < recent_extent.end && recent_extent.end - address >= bytes;
  if (near && address % alignment == 0) return reinterpret_cast<uint8_t*>(address);
  return find_global(address, bytes, alignment, what);
}

inline const uint8_t* read_global(uint64_t address, uint32_t bytes, uint32_t alignment) {
  return reach_global(address, bytes, alignment, "read");
}
inline uint8_t* write_global(uint64_t address, uint32_t bytes, uint32_t alignment) {
  return reach_global(address, bytes, alignment, "written");
}

}  // namespace ptx
