// One wgmma.mma_async of a warpgroup: where its operands are, and what it computes.
#pragma once
#include <vector>

#include "descriptor.h"
#include "machine.h"

namespace ptx {

constexpr uint32_t kGroup = 4, kGroupRows = 64;  // warps of a warpgroup, rows of D

struct Matrix {
  Descriptor place;
  bool major_k = true;
  // Offsets in shared memory of the pieces of 16 bytes that hold `rows` rows from `first` on: of a row the two along k,
  // or of each eight rows those of one k after the other.
  std::vector<uint32_t> pieces(uint32_t first, uint32_t rows) const;
};

class Product {
 public:
  // As one of the warps issues it; fails for a matrix that is not in shared memory, or was never written.
  Product(Warp& w, const Instruction& i);
  // Whether this is what another warp issues.
  bool is(Warp& w, const Instruction& i) const;
  // Reads both matrices and D, and writes D, in the registers of all four warps.
  void compute(Warp* warps);

  const Instruction* instruction;
  std::vector<uint32_t> a_pieces[kGroup], b_pieces;  // of each warp; of all
  uint32_t issued = 0;                               // by which warps
  bool computed = false, over = false;

 private:
  void read_pieces(const Block& block, const std::vector<uint32_t>& pieces, bool major_k, bool negative,
                   float* to) const;
  std::vector<float> from_registers(Warp* warps, bool negative) const;
  bool a_in_registers() const { return (*instruction)[1].kind == Operand::kList; }
  uint32_t columns() const { return static_cast<uint32_t>(instruction->detail); }

  uint64_t a_bits_ = 0, b_bits_ = 0;
  Matrix a_, b_;
};

}  // namespace ptx
