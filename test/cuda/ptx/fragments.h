// Which element of a matrix a register of a lane holds. PTX ISA 9.0: 9.7.14.5.8 "Matrix Fragments for mma.m16n8k16 with
// floating point type", 9.7.15.5.1.1.1 "Matrix Fragments for wgmma.mma_async.m64nNk16", 9.7.14.5.15 "ldmatrix". Both
// products deal a row of eight elements out to a quad of lanes, two neighbours to a lane; `half` is which of the two of
// a 32-bit register of A and B (0: its low 16 bits).
#pragma once
#include <cstdint>

namespace ptx {

struct Element {
  uint32_t row, column;
  bool operator==(const Element& other) const { return row == other.row && column == other.column; }
};

constexpr uint32_t kDepth = 16;  // k of both products

// A, 16 rows of a warp by 16: registers go down before they go right.
constexpr Element element_of_a(uint32_t lane, uint32_t item, uint32_t half) {
  return {lane / 4 + item % 2 * 8, lane % 4 * 2 + half + item / 2 * 8};
}
// B of mma, 16 (k) by 8.
constexpr Element element_of_b(uint32_t lane, uint32_t item, uint32_t half) {
  return {lane % 4 * 2 + half + item * 8, lane / 4};
}
// C and D, 16 rows of a warp by 8 for every four floats; wgmma has N / 8 of these side by side, and warp w of its four
// rows 16 w to 16 w + 15.
constexpr Element element_of_d(uint32_t lane, uint32_t item) {
  return {lane / 4 + item / 2 % 2 * 8, lane % 4 * 2 + item % 2 + item / 4 * 8};
}
// An 8 by 8 matrix of ldmatrix: row and column in memory of what a lane gets.
constexpr Element element_of_8x8(uint32_t lane, uint32_t half, bool transposed) {
  return transposed ? Element{lane % 4 * 2 + half, lane / 4} : Element{lane / 4, lane % 4 * 2 + half};
}

}  // namespace ptx
