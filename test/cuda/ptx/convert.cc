// cvt (PTX ISA 9.7.9.21).
#include <algorithm>
#include <cmath>
#include <limits>

#include "lanes.h"

namespace ptx {

namespace {

using f16 = _Float16;

f32 from_half(uint16_t bits) {
  f16 value;
  std::memcpy(&value, &bits, sizeof value);
  return canonical(static_cast<f32>(value));
}
uint16_t to_half(f32 value) {
  if (value != value) return 0x7FFF;
  const f16 rounded = static_cast<f16>(value);
  uint16_t bits;
  std::memcpy(&bits, &rounded, sizeof bits);
  return bits;
}
f32 from_bf16(uint16_t bits) { return canonical(get<f32>(uint32_t{bits} << 16)); }
// To nearest, ties to even, in the upper half of the word.
uint16_t to_bf16(f32 value) {
  if (value != value) return 0x7FFF;
  const uint32_t bits = put<f32>(value);
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

// Integers are cut off or extended by their sign.
template <class D, class A>
struct Integer {
  static D of(A a) { return static_cast<D>(a); }
};
template <class D, class A>
struct ToReal {
  static D of(A a) { return static_cast<D>(a); }
};
struct Narrow {
  static f32 of(f64 a) { return canonical(static_cast<f32>(a)); }
};
struct Widen {
  static f64 of(f32 a) { return static_cast<f64>(a); }
};
struct HalfToReal {
  static f32 of(uint16_t a) { return from_half(a); }
};
struct Bf16ToReal {
  static f32 of(uint16_t a) { return from_bf16(a); }
};
struct RealToHalf {
  static uint16_t of(f32 a) { return to_half(a); }
};
struct RealToBf16 {
  static uint16_t of(f32 a) { return to_bf16(a); }
};
// The first operand becomes the upper half.
struct TwoHalves {
  static uint32_t of(f32 a, f32 b) { return uint32_t{to_half(a)} << 16 | to_half(b); }
};
struct TwoBf16 {
  static uint32_t of(f32 a, f32 b) { return uint32_t{to_bf16(a)} << 16 | to_bf16(b); }
};

struct Cut {
  template <class T>
  static T of(T a) {
    return std::trunc(a);
  }
};
struct Nearest {
  template <class T>
  static T of(T a) {
    return std::nearbyint(a);
  }
};
struct Down {
  template <class T>
  static T of(T a) {
    return std::floor(a);
  }
};
struct Up {
  template <class T>
  static T of(T a) {
    return std::ceil(a);
  }
};
f64 canonical(f64 value) { return value; }
using ptx::canonical;
template <class How>
struct Whole {
  template <class T>
  static T of(T a) {
    return canonical(How::of(a));
  }
};
// Saturates. NaN becomes 0, or, where 64 bits are on either side, the number with only its highest bit set.
template <class D, class A, class How>
struct ToInteger {
  static D of(A a) {
    if (a != a)
      return sizeof(D) == 8 || sizeof(A) == 8 ? static_cast<D>(std::make_unsigned_t<D>{1} << (8 * sizeof(D) - 1))
                                              : D{0};
    const A whole = How::of(a);
    const A end = std::ldexp(A{1}, static_cast<int>(8 * sizeof(D)) - (std::is_signed_v<D> ? 1 : 0));
    if (whole >= end) return std::numeric_limits<D>::max();
    if (whole <= (std::is_signed_v<D> ? -end : A{0})) return std::numeric_limits<D>::min();
    return static_cast<D>(whole);
  }
};
struct Saturate {
  template <class T>
  static T of(T a) {
    return a > 0 ? std::min(a, T{1}) : T{0};
  }
};

// The source may be the lower part of a wider register.
template <class D, class A>
Outcome extend_part(Warp& w, const Instruction& i) {
  auto* d = slots<D>(w, i[0]);
  const uint64_t* a = w.longs(i[1]);
  for_lanes(w, [&](uint32_t l) { d[l] = put<D>(static_cast<D>(static_cast<A>(a[l]))); });
  return Outcome::done;
}
template <class D, class A>
Handler extended(const Instruction& i) {
  constexpr int d = 8 * sizeof(D);
  if (sizeof(A) < 8 && widths(i, d, 64)) return extend_part<D, A>;
  return unary_if<Integer<D, A>, D, A>(i);
}
template <class D>
Handler from_integer(const Instruction& i, Type a) {
  switch (a) {
    case Type::u16: return extended<D, uint16_t>(i);
    case Type::s16: return extended<D, int16_t>(i);
    case Type::u32: return extended<D, uint32_t>(i);
    case Type::s32: return extended<D, int32_t>(i);
    case Type::u64: return extended<D, uint64_t>(i);
    case Type::s64: return extended<D, int64_t>(i);
    default: return nullptr;
  }
}
Handler between_integers(const Instruction& i, Type d, Type a) {
  switch (d) {
    case Type::u16: return from_integer<uint16_t>(i, a);
    case Type::s16: return from_integer<int16_t>(i, a);
    case Type::u32: return from_integer<uint32_t>(i, a);
    case Type::s32: return from_integer<int32_t>(i, a);
    case Type::u64: return from_integer<uint64_t>(i, a);
    case Type::s64: return from_integer<int64_t>(i, a);
    default: return nullptr;
  }
}

template <class D>
Handler real_of_integer(const Instruction& i, Type a) {
  switch (a) {
    case Type::u32: return unary_if<ToReal<D, uint32_t>, D, uint32_t>(i);
    case Type::s32: return unary_if<ToReal<D, int32_t>, D, int32_t>(i);
    case Type::u64: return unary_if<ToReal<D, uint64_t>, D, uint64_t>(i);
    case Type::s64: return unary_if<ToReal<D, int64_t>, D, int64_t>(i);
    default: return nullptr;
  }
}
template <class A, class How>
Handler integer_of_real(const Instruction& i, Type d) {
  switch (d) {
    case Type::u32: return unary_if<ToInteger<uint32_t, A, How>, uint32_t, A>(i);
    case Type::s32: return unary_if<ToInteger<int32_t, A, How>, int32_t, A>(i);
    case Type::u64: return unary_if<ToInteger<uint64_t, A, How>, uint64_t, A>(i);
    case Type::s64: return unary_if<ToInteger<int64_t, A, How>, int64_t, A>(i);
    default: return nullptr;
  }
}
// .rzi and so on: between reals of one width, or to integers.
template <class How>
Handler to_whole(const Instruction& i, Type d, Type a) {
  if (d == Type::f32 && a == Type::f32) return unary_if<Whole<How>, f32>(i);
  if (d == Type::f64 && a == Type::f64) return unary_if<Whole<How>, f64>(i);
  if (a == Type::f32) return integer_of_real<f32, How>(i, d);
  if (a == Type::f64) return integer_of_real<f64, How>(i, d);
  return nullptr;
}

bool is_integer(Type t) {
  return bits_of(t) >= 16 && t != Type::f16 && t != Type::bf16 && t != Type::f32 && t != Type::f64;
}

Handler exact(const Instruction& i, Type d, Type a) {
  if (is_integer(d) && is_integer(a)) return between_integers(i, d, a);
  if (d == Type::f64 && a == Type::f32) return unary_if<Widen, f64, f32>(i);
  if (d == Type::f32 && a == Type::f16) return unary_if<HalfToReal, f32, uint16_t>(i);
  if (d == Type::f32 && a == Type::bf16) return unary_if<Bf16ToReal, f32, uint16_t>(i);
  return nullptr;
}
Handler nearest(const Instruction& i, Type d, Type a) {
  if (d == Type::f32 && a == Type::f64) return unary_if<Narrow, f32, f64>(i);
  if (d == Type::f16 && a == Type::f32) return unary_if<RealToHalf, uint16_t, f32>(i);
  if (d == Type::bf16 && a == Type::f32) return unary_if<RealToBf16, uint16_t, f32>(i);
  if (d == Type::f32) return real_of_integer<f32>(i, a);
  if (d == Type::f64) return real_of_integer<f64>(i, a);
  return nullptr;
}

Handler cvt(Instruction& i) {
  const size_t n = i.modifiers.size();
  if (n < 2 || n > 3) return nullptr;
  const std::string_view how = n == 3 ? i.modifiers[0] : "", to = i.modifiers[n - 2];
  const Type d = type_of(to), a = last_type(i);
  if (to == "f16x2" || to == "bf16x2") {
    if (how != "rn" || a != Type::f32) return nullptr;
    return to[0] == 'f' ? binary_if<TwoHalves, uint32_t, f32>(i) : binary_if<TwoBf16, uint32_t, f32>(i);
  }
  if (how.empty()) return exact(i, d, a);
  if (how == "rn") return nearest(i, d, a);
  if (how == "rzi") return to_whole<Cut>(i, d, a);
  if (how == "rni") return to_whole<Nearest>(i, d, a);
  if (how == "rmi") return to_whole<Down>(i, d, a);
  if (how == "rpi") return to_whole<Up>(i, d, a);
  if (how == "sat" && d == Type::f32 && a == Type::f32) return unary_if<Saturate, f32>(i);
  return nullptr;
}

const Family family("cvt", cvt);

}  // namespace

}  // namespace ptx
