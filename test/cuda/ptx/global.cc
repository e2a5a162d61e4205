#include "global.h"

#include "../emulator/streams.h"

namespace ptx {

Extent recent_extent;

uint8_t* find_global(uint64_t address, uint32_t bytes, uint32_t alignment, const char* what) {
  const std::string where = std::to_string(bytes) + " bytes of global memory are " + what + " at " + hex(address);
  if (address % alignment) fail(where + ", which is not a multiple of " + std::to_string(alignment));
  const auto [begin, size] = emulator::device_memory(reinterpret_cast<const void*>(address));
  const auto first = reinterpret_cast<uint64_t>(begin);
  if (!begin) fail(where + ", in no allocation");
  if (address - first + bytes > size)
    fail(where + ", " + std::to_string(address - first) + " bytes into an allocation of " + std::to_string(size));
  recent_extent = {first, first + size};
  return reinterpret_cast<uint8_t*>(address);
}

}  // namespace ptx
