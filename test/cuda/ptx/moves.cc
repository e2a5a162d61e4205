// mov and cvta (PTX ISA 9.7.9).
#include "handlers.h"

namespace ptx {

namespace {

template <class T>
Outcome move(Warp& w, const Instruction& i) {
  auto* d = slots<T>(w, i[0]);
  const auto* a = slots<T>(w, i[1]);
  for_lanes(w, [&](uint32_t l) { d[l] = a[l]; });
  return Outcome::done;
}
Outcome move_predicate(Warp& w, const Instruction& i) {
  const uint32_t bits = i[1].kind == Operand::kConstant ? (i[1].value ? kAll : 0) : w.predicate(i[1]);
  uint32_t& d = w.predicate(i[0]);
  d = (d & ~w.lanes) | (bits & w.lanes);
  return Outcome::done;
}

uint64_t element(Warp& w, const Operand& o, uint32_t lane) {
  return o.bits == 64 ? w.longs(o)[lane] : w.words(o)[lane];
}

// {a, b} of the whole: the first element has the lowest bits.
Outcome unpack(Warp& w, const Instruction& i) {
  const uint32_t count = i[0].count, bits = static_cast<uint32_t>(i.detail) / count;
  for_lanes(w, [&](uint32_t l) {
    const uint64_t whole = element(w, i[1], l);
    for (uint32_t k = 0; k < count; k++) {
      const Operand& o = i.item(i[0], k);
      w.words(o)[l] = static_cast<uint32_t>(whole >> (k * bits) & ((uint64_t{1} << bits) - 1));
    }
  });
  return Outcome::done;
}
Outcome pack(Warp& w, const Instruction& i) {
  const uint32_t count = i[1].count, bits = static_cast<uint32_t>(i.detail) / count;
  for_lanes(w, [&](uint32_t l) {
    uint64_t whole = 0;
    for (uint32_t k = 0; k < count; k++)
      whole |= (uint64_t{w.words(i.item(i[1], k))[l]} & ((uint64_t{1} << bits) - 1)) << (k * bits);
    if (i[0].bits == 64) w.longs(i[0])[l] = whole;
    else w.words(i[0])[l] = static_cast<uint32_t>(whole);
  });
  return Outcome::done;
}

bool is_list_of(const Instruction& i, const Operand& list, int bits) {
  if (list.kind != Operand::kList || list.count == 0 || bits % static_cast<int>(list.count)) return false;
  const int each = bits / static_cast<int>(list.count);
  for (uint32_t k = 0; k < list.count; k++)
    if (!fits(i.item(list, k), each)) return false;
  return each == 16 || each == 32;
}

Handler mov(Instruction& i) {
  const Type type = last_type(i);
  const int bits = bits_of(type);
  if (i.modifiers.size() != 1 || i.count != 2) return nullptr;
  i.detail = static_cast<uint64_t>(bits);
  if (is_list_of(i, i[0], bits) && fits(i[1], bits)) return unpack;
  if (is_list_of(i, i[1], bits) && fits(i[0], bits)) return pack;
  if (!widths(i, bits, bits)) return nullptr;
  return bits == 1 ? move_predicate : bits == 64 ? move<uint64_t> : bits >= 16 ? move<uint32_t> : nullptr;
}

// Global memory has the addresses of the generic window.
Handler cvta(Instruction& i) {
  const bool global = i.modifiers.size() >= 2 && i.modifiers[i.modifiers.size() - 2] == "global";
  return global && last_type(i) == Type::u64 && widths(i, 64, 64) ? move<uint64_t> : nullptr;
}

const Family families[] = {{"mov", mov}, {"cvta", cvta}};

}  // namespace

}  // namespace ptx
