#include "descriptor.h"

#include "instruction.h"

namespace ptx {

Descriptor decode_descriptor(uint64_t bits) {
  const auto field = [bits](uint32_t first) { return static_cast<uint32_t>(bits >> first & 0x3FFF) * 16; };
  // 0: none, 1: 128 bytes, 2: 64, 3: 32.
  constexpr uint32_t kSwizzles[] = {0, 3, 2, 1};
  const Descriptor d{field(0), field(16), field(32), static_cast<uint32_t>(bits >> 49 & 7), kSwizzles[bits >> 62]};
  constexpr uint64_t kFields = 0x3FFF | uint64_t{0x3FFF} << 16 | uint64_t{0x3FFF} << 32 | uint64_t{7} << 49;
  if (bits << 2 >> 2 & ~kFields)
    fail("matrix descriptor " + hex(bits) + " has bits set that are reserved: an address or offset too large?");
  if (d.base) fail("matrix descriptor " + hex(bits) + " has a base offset; this machine knows only 0");
  return d;
}

uint32_t find(const Descriptor& d, bool major_k, uint32_t row, uint32_t k, uint32_t& within) {
  // Along the major dimension eight elements are a piece; across it eight pieces are a core matrix.
  const uint32_t along = major_k ? k : row, across = major_k ? row : k;
  within = along % 8;
  const uint32_t piece = along / 8, pitch = 16u << d.swizzle, in_core = across % 8 * pitch;
  if (!d.swizzle)
    return d.start + in_core +
           (major_k ? piece * d.leading + across / 8 * d.stride  //
                    : piece * d.stride + across / 8 * d.leading);
  const uint32_t per_atom = 1u << d.swizzle, inside = major_k ? piece : piece % per_atom;
  const uint32_t atoms = major_k ? 0 : piece / per_atom * d.leading;
  const uint32_t address = d.start + in_core + across / 8 * d.stride + atoms + inside * 16;
  return address ^ ((address >> 7 & (per_atom - 1)) << 4);
}

}  // namespace ptx
