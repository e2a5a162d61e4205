#include "wgmma_registers.h"

#include <set>

namespace ptx {
namespace {

constexpr uint32_t kBytes = 128;  // of a register of 32 bits in all lanes

template <class Body>
void each_register(const Instruction& i, const Body& body) {
  for (uint32_t n = 0; n < i.count; ++n) {
    if (i[n].kind == Operand::kRegister) body(i[n]);
    for (uint32_t k = 0; i[n].kind == Operand::kList && k < i[n].count; ++k)
      if (i.item(i[n], k).kind == Operand::kRegister) body(i.item(i[n], k));
  }
}

// D, and A if it is in registers.
template <class Body>
void each_of_product(const Instruction& i, const Body& body) {
  for (uint32_t n = 0; n < 2; ++n)
    for (uint32_t k = 0; i[n].kind == Operand::kList && k < i[n].count; ++k) body(i.item(i[n], k), n == 0);
}

}  // namespace

WgmmaRegisters::Register& WgmmaRegisters::at(const Operand& o) {
  const uint32_t number = o.at / kBytes;
  if (number >= registers_.size()) registers_.resize(number + 1);
  return registers_[number];
}

void WgmmaRegisters::take(const Operand& o, uint32_t columns) {
  Register& r = at(o);
  if (r.touched) fail("a register of wgmma was used by another instruction and no wgmma.fence followed");
  if (r.in_flight && r.columns != columns)
    fail("a register of wgmma is still in flight in one of another shape, or as the other operand");
  r.columns = columns;
  ++r.in_flight;
}

void WgmmaRegisters::take(const Instruction& i, uint32_t columns) {
  if (!fenced_) fail("there was no wgmma.fence before the first wgmma");
  each_of_product(i, [&](const Operand& o, bool d) { take(o, d ? columns : 0); });
}

void WgmmaRegisters::give_back(const Instruction& i) {
  each_of_product(i, [&](const Operand& o, bool) { --at(o).in_flight; });
}

void WgmmaRegisters::touch(const Operand& o) {
  Register& r = at(o);
  if (r.in_flight) fail("a register is used while wgmma in flight has it: no wgmma.wait_group was there");
  if (!r.touched) touched_.push_back(o.at / kBytes);
  r.touched = true;
}

void WgmmaRegisters::touch(const Instruction& i) {
  each_register(i, [&](const Operand& o) { touch(o); });
}

void WgmmaRegisters::fence() {
  fenced_ = true;
  for (const uint32_t number : touched_) registers_[number].touched = false;
  touched_.clear();
}

void mark_products(std::vector<Instruction>& code) {
  std::set<uint32_t> places;
  for (const Instruction& i : code)
    if (i.opcode == "wgmma" && i.has("mma_async"))
      each_of_product(i, [&](const Operand& o, bool) { places.insert(o.at); });
  if (places.empty()) return;
  for (Instruction& i : code)
    if (i.opcode != "wgmma") each_register(i, [&](const Operand& o) { i.products |= places.count(o.at) != 0; });
}

}  // namespace ptx
