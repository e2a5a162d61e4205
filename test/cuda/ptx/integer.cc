// Integer arithmetic (PTX ISA 9.7.1).
#include <algorithm>

#include "lanes.h"

namespace ptx {

namespace {

template <class T>
using Unsigned = std::make_unsigned_t<T>;
template <class T>
struct Wide;
template <>
struct Wide<uint16_t> {
  using type = uint32_t;
};
template <>
struct Wide<int16_t> {
  using type = int32_t;
};
template <>
struct Wide<uint32_t> {
  using type = uint64_t;
};
template <>
struct Wide<int32_t> {
  using type = int64_t;
};
template <>
struct Wide<uint64_t> {
  using type = unsigned __int128;
};
template <>
struct Wide<int64_t> {
  using type = __int128;
};

struct Add {
  template <class T>
  static T of(T a, T b) {
    return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  }
};
struct Sub {
  template <class T>
  static T of(T a, T b) {
    return static_cast<T>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
  }
};
struct MulLow {
  template <class T>
  static T of(T a, T b) {
    return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  }
};
struct MulHigh {
  template <class T>
  static T of(T a, T b) {
    using W = typename Wide<T>::type;
    return static_cast<T>((static_cast<W>(a) * static_cast<W>(b)) >> (8 * sizeof(T)));
  }
};
struct MulWide {
  template <class T>
  static typename Wide<T>::type of(T a, T b) {
    using W = typename Wide<T>::type;
    return static_cast<W>(a) * static_cast<W>(b);
  }
};
struct MadLow {
  template <class T>
  static T of(T a, T b, T c) {
    return Add::of(MulLow::of(a, b), c);
  }
};
struct MadWide {
  template <class T, class W>
  static W of(T a, T b, W c) {
    return Add::of(static_cast<W>(MulWide::of(a, b)), c);
  }
};
// What division by zero gives is not specified, so nothing may come to it.
struct Div {
  template <class T>
  static T of(T a, T b) {
    if (b == 0) fail("an integer is divided by zero");
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return Sub::of(T{0}, a);
    return static_cast<T>(a / b);
  }
};
struct Rem {
  template <class T>
  static T of(T a, T b) {
    if (b == 0) fail("an integer is divided by zero");
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return 0;
    return static_cast<T>(a % b);
  }
};
struct Min {
  template <class T>
  static T of(T a, T b) {
    return std::min(a, b);
  }
};
struct Max {
  template <class T>
  static T of(T a, T b) {
    return std::max(a, b);
  }
};
struct Neg {
  template <class T>
  static T of(T a) {
    return Sub::of(T{0}, a);
  }
};
struct Abs {
  template <class T>
  static T of(T a) {
    return a < 0 ? Neg::of(a) : a;
  }
};
template <class F>
Handler integers(const Instruction& i, Type type) {
  switch (type) {
    case Type::u16: return binary_if<F, uint16_t>(i);
    case Type::s16: return binary_if<F, int16_t>(i);
    case Type::u32: return binary_if<F, uint32_t>(i);
    case Type::s32: return binary_if<F, int32_t>(i);
    case Type::u64: return binary_if<F, uint64_t>(i);
    case Type::s64: return binary_if<F, int64_t>(i);
    default: return nullptr;
  }
}
template <class F>
Handler plain(Instruction& i) {
  return i.modifiers.size() == 1 ? integers<F>(i, last_type(i)) : nullptr;
}
const Family family("rem", plain<Rem>);

}  // namespace

// Of the opcodes that integers share with floating point, whose resolvers ask here.
Handler integer_add(Instruction& i) { return plain<Add>(i); }
Handler integer_sub(Instruction& i) { return plain<Sub>(i); }
Handler integer_div(Instruction& i) { return plain<Div>(i); }
Handler integer_min(Instruction& i) { return plain<Min>(i); }
Handler integer_max(Instruction& i) { return plain<Max>(i); }
Handler integer_neg(Instruction& i) {
  if (i.modifiers.size() != 1) return nullptr;
  switch (last_type(i)) {
    case Type::s16: return unary_if<Neg, int16_t>(i);
    case Type::s32: return unary_if<Neg, int32_t>(i);
    case Type::s64: return unary_if<Neg, int64_t>(i);
    default: return nullptr;
  }
}
Handler integer_abs(Instruction& i) {
  if (i.modifiers.size() != 1) return nullptr;
  switch (last_type(i)) {
    case Type::s16: return unary_if<Abs, int16_t>(i);
    case Type::s32: return unary_if<Abs, int32_t>(i);
    case Type::s64: return unary_if<Abs, int64_t>(i);
    default: return nullptr;
  }
}
Handler integer_mul(Instruction& i) {
  if (i.modifiers.size() != 2) return nullptr;
  const Type type = last_type(i);
  if (i.modifiers[0] == "lo") return integers<MulLow>(i, type);
  if (i.modifiers[0] == "hi") return integers<MulHigh>(i, type);
  if (i.modifiers[0] != "wide") return nullptr;
  switch (type) {
    case Type::u16: return binary_if<MulWide, uint32_t, uint16_t>(i);
    case Type::s16: return binary_if<MulWide, int32_t, int16_t>(i);
    case Type::u32: return binary_if<MulWide, uint64_t, uint32_t>(i);
    case Type::s32: return binary_if<MulWide, int64_t, int32_t>(i);
    default: return nullptr;
  }
}
static Handler mad(Instruction& i) {
  if (i.modifiers.size() != 2) return nullptr;
  const Type type = last_type(i);
  if (i.modifiers[0] == "lo" && type == Type::s32) return ternary_if<MadLow, int32_t>(i);
  if (i.modifiers[0] == "lo" && type == Type::u32) return ternary_if<MadLow, uint32_t>(i);
  if (i.modifiers[0] == "lo" && type == Type::s64) return ternary_if<MadLow, int64_t>(i);
  if (i.modifiers[0] == "lo" && type == Type::u64) return ternary_if<MadLow, uint64_t>(i);
  if (i.modifiers[0] == "wide" && type == Type::s32) return ternary_if<MadWide, int64_t, int32_t, int64_t>(i);
  if (i.modifiers[0] == "wide" && type == Type::u32) return ternary_if<MadWide, uint64_t, uint32_t, uint64_t>(i);
  return nullptr;
}
static const Family mads("mad", mad);

}  // namespace ptx
