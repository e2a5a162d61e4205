// Which registers of a warp wgmma may be using. 9.7.15.7.1 "wgmma.fence": it has to stand before the first wgmma, and
// between any access to a register and a wgmma that has it as accumulator or as fragment of A, unless that access was
// by a wgmma of the same shape. 9.7.15.5.2: until wgmma.wait_group nobody may access the registers of one in flight.
#pragma once
#include <cstdint>
#include <vector>

#include "instruction.h"

namespace ptx {

class WgmmaRegisters {
 public:
  // A wgmma with so many columns is issued.
  void take(const Instruction& i, uint32_t columns);
  void give_back(const Instruction& i);
  // Another instruction reads or writes its operands.
  void touch(const Instruction& i);
  void fence();

 private:
  struct Register {
    uint32_t in_flight = 0;
    uint32_t columns = 0;  // of those in flight; 0: a fragment of A
    bool touched = false;  // since the last fence
  };
  Register& at(const Operand& o);
  void take(const Operand& o, uint32_t columns);
  void touch(const Operand& o);
  std::vector<Register> registers_;
  std::vector<uint32_t> touched_;
  bool fenced_ = false;
};

// Which instructions of a kernel name a register of its wgmma, without being one: Instruction::products.
void mark_products(std::vector<Instruction>& code);

}  // namespace ptx
