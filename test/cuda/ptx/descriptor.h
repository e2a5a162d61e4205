// The matrix descriptor by which wgmma finds an operand in shared memory. PTX ISA 9.0, 9.7.15.5.1.2.2 "Matrix
// Descriptor Format": bits 0-13 start address, 16-29 leading dimension byte offset, 32-45 stride dimension byte offset
// (all of them without their four low bits), 49-51 base offset, 62-63 swizzling mode. Which offset is which
// (9.7.15.5.1.2.1 "Major-ness supported by Strides", and the canonical layouts that CuTe writes down for
// make_gmma_desc), in pieces of 16 bytes, which are 8 elements along the major dimension:
//                       major K                              major M or N
//   no swizzling        8 rows are 8 pieces in a row,        8 of k are 8 pieces in a row,
//                       LBO to the next piece of k,          LBO to the next 8 of k,
//                       SBO to the next 8 rows               SBO to the next piece of rows
//   swizzling 2^s x 16  rows are 2^s pieces apart,           k are 2^s pieces apart, 2^s pieces of rows in a row,
//                       k in a row (LBO is not used),        LBO to the next 2^s pieces of rows,
//                       SBO to the next 8 rows               SBO to the next 8 of k
// Swizzling then takes s bits of the address from bit 4 on, exclusive or with those from bit 7 on.
#pragma once
#include <cstdint>

namespace ptx {

struct Descriptor {
  uint32_t start, leading, stride, base;  // in bytes; base: in patterns of 128 bytes
  uint32_t swizzle;                       // s: 0 to 3
};

// Fails for bits that have to be 0, and for what none of our kernels needs: a base offset.
Descriptor decode_descriptor(uint64_t bits);

// Address of the 16 bytes with the eight elements that hold (row, k): row of A or column of B. `within`: which of them.
uint32_t find(const Descriptor& d, bool major_k, uint32_t row, uint32_t k, uint32_t& within);

}  // namespace ptx
