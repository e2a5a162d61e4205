// Bits, shifts and predicates (PTX ISA 9.7.1.21, 9.7.8).
#include <algorithm>

#include "lanes.h"

namespace ptx {

namespace {

struct And {
  template <class T>
  static T of(T a, T b) {
    return static_cast<T>(a & b);
  }
};
struct Or {
  template <class T>
  static T of(T a, T b) {
    return static_cast<T>(a | b);
  }
};
struct Xor {
  template <class T>
  static T of(T a, T b) {
    return static_cast<T>(a ^ b);
  }
};
struct Not {
  template <class T>
  static T of(T a) {
    return static_cast<T>(~a);
  }
};
// Shifts by the width or more leave zeros, or the sign.
struct Shl {
  template <class T>
  static T of(T a, uint32_t by) {
    return by >= 8 * sizeof(T) ? T{0} : static_cast<T>(static_cast<uint64_t>(a) << by);
  }
};
struct Shr {
  template <class T>
  static T of(T a, uint32_t by) {
    return static_cast<T>(a >> std::min<uint32_t>(by, 8 * sizeof(T) - 1) >> (by >= 8 * sizeof(T) ? 1 : 0));
  }
};

template <class F>
Handler bits(const Instruction& i, Type type) {
  switch (type) {
    case Type::u16: return binary_if<F, uint16_t>(i);
    case Type::u32: return binary_if<F, uint32_t>(i);
    case Type::u64: return binary_if<F, uint64_t>(i);
    default: return nullptr;
  }
}
template <class F>
Handler shifts(const Instruction& i, Type type) {
  switch (type) {
    case Type::u16: return binary_if<F, uint16_t, uint16_t, uint32_t>(i);
    case Type::s16: return binary_if<F, int16_t, int16_t, uint32_t>(i);
    case Type::u32: return binary_if<F, uint32_t, uint32_t, uint32_t>(i);
    case Type::s32: return binary_if<F, int32_t, int32_t, uint32_t>(i);
    case Type::u64: return binary_if<F, uint64_t, uint64_t, uint32_t>(i);
    case Type::s64: return binary_if<F, int64_t, int64_t, uint32_t>(i);
    default: return nullptr;
  }
}

// Predicates: a bit a lane. A constant is false if it is 0.
uint32_t mask(Warp& w, const Operand& o) {
  if (o.kind == Operand::kConstant) return o.value ? kAll : 0;
  return w.predicate(o);
}
void set(Warp& w, const Operand& o, uint32_t bits) {
  uint32_t& d = w.predicate(o);
  d = (d & ~w.lanes) | (bits & w.lanes);
}
template <class F>
Outcome two_predicates(Warp& w, const Instruction& i) {
  set(w, i[0], F::of(mask(w, i[1]), mask(w, i[2])));
  return Outcome::done;
}
Outcome not_predicate(Warp& w, const Instruction& i) {
  set(w, i[0], ~mask(w, i[1]));
  return Outcome::done;
}

template <class F>
Handler logic(Instruction& i) {
  if (i.modifiers.size() != 1) return nullptr;
  const Type type = last_type(i);
  if (type == Type::pred) return widths(i, 1, 1, 1) ? two_predicates<F> : nullptr;
  return i.modifiers[0][0] == 'b' ? bits<F>(i, type) : nullptr;
}
Handler logic_not(Instruction& i) {
  if (i.modifiers.size() != 1) return nullptr;
  switch (last_type(i)) {
    case Type::pred: return widths(i, 1, 1) ? not_predicate : nullptr;
    case Type::u16: return unary_if<Not, uint16_t>(i);
    case Type::u32: return unary_if<Not, uint32_t>(i);
    case Type::u64: return unary_if<Not, uint64_t>(i);
    default: return nullptr;
  }
}

template <class F>
Handler shift(Instruction& i) {
  return i.modifiers.size() == 1 ? shifts<F>(i, last_type(i)) : nullptr;
}

// bfi: the low `length` bits of a take the place of those of b from `start` on.
Outcome insert_bits(Warp& w, const Instruction& i) {
  uint32_t *d = w.words(i[0]), *a = w.words(i[1]), *b = w.words(i[2]), *start = w.words(i[3]), *length = w.words(i[4]);
  for_lanes(w, [&](uint32_t l) {
    const uint32_t from = start[l] & 0xFF, bits = length[l] & 0xFF;
    const uint64_t ones = ((uint64_t{1} << std::min(bits, 32u)) - 1) << std::min(from, 32u);
    const uint64_t value = uint64_t{a[l]} << std::min(from, 32u);
    d[l] = static_cast<uint32_t>((b[l] & ~ones) | (value & ones));
  });
  return Outcome::done;
}
Handler bfi(Instruction& i) {
  return i.has("b32") && i.modifiers.size() == 1 && widths(i, 32, 32, 32, 32, 32) ? insert_bits : nullptr;
}

const Family families[] = {{"and", logic<And>}, {"or", logic<Or>},   {"xor", logic<Xor>}, {"not", logic_not},
                           {"shl", shift<Shl>}, {"shr", shift<Shr>}, {"bfi", bfi}};

}  // namespace

}  // namespace ptx
