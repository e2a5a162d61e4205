// Floating point arithmetic (PTX ISA 9.7.3), rounded to nearest. Approximations give the correctly rounded value; their
// greatest errors on a device are those of the ISA: ex2.approx.ftz.f32 2 ulp, rcp.approx.ftz.f32 1 ulp.
#include <cmath>

#include "lanes.h"

namespace ptx {

Handler integer_add(Instruction& i);
Handler integer_sub(Instruction& i);
Handler integer_mul(Instruction& i);
Handler integer_div(Instruction& i);
Handler integer_min(Instruction& i);
Handler integer_max(Instruction& i);
Handler integer_neg(Instruction& i);
Handler integer_abs(Instruction& i);
Handler directed(Instruction& i);

namespace {

f64 canonical(f64 value) { return value; }
using ptx::canonical;

struct Add {
  template <class T>
  static T of(T a, T b) {
    return canonical(a + b);
  }
};
struct Sub {
  template <class T>
  static T of(T a, T b) {
    return canonical(a - b);
  }
};
struct Mul {
  template <class T>
  static T of(T a, T b) {
    return canonical(a * b);
  }
};
struct Div {
  template <class T>
  static T of(T a, T b) {
    return canonical(a / b);
  }
};
struct Fma {
  static f32 of(f32 a, f32 b, f32 c) { return canonical(__builtin_fmaf(a, b, c)); }
  static f64 of(f64 a, f64 b, f64 c) { return __builtin_fma(a, b, c); }
};
// A NaN gives way to a number; -0 is less than +0.
struct Min {
  template <class T>
  static T of(T a, T b) {
    if (a != a) return canonical(b);
    if (b != b) return a;
    return a < b || (a == b && std::signbit(a)) ? a : b;
  }
};
struct Max {
  template <class T>
  static T of(T a, T b) {
    if (a != a) return canonical(b);
    if (b != b) return a;
    return a > b || (a == b && !std::signbit(a)) ? a : b;
  }
};
struct Neg {
  template <class T>
  static T of(T a) {
    return canonical(-a);
  }
};
struct Abs {
  static f32 of(f32 a) { return canonical(std::fabs(a)); }
  static f64 of(f64 a) { return std::fabs(a); }
};
struct Sqrt {
  static f32 of(f32 a) { return canonical(std::sqrt(a)); }
  static f64 of(f64 a) { return std::sqrt(a); }
};
struct Reciprocal {
  template <class T>
  static T of(T a) {
    return canonical(1 / a);
  }
};
// .ftz: subnormal numbers count and become zeros of their sign.
f32 flushed(f32 a) { return std::fabs(a) < 0x1p-126f ? std::copysign(0.0f, a) : a; }
struct ReciprocalFlushed {
  static f32 of(f32 a) { return flushed(canonical(1 / flushed(a))); }
};
struct PowerOf2Flushed {
  static f32 of(f32 a) { return flushed(canonical(static_cast<f32>(std::exp2(static_cast<f64>(flushed(a)))))); }
};

template <class F>
Handler two(const Instruction& i) {
  const Type type = last_type(i);
  return type == Type::f32 ? binary_if<F, f32>(i) : type == Type::f64 ? binary_if<F, f64>(i) : nullptr;
}
template <class F>
Handler one(const Instruction& i) {
  const Type type = last_type(i);
  return type == Type::f32 ? unary_if<F, f32>(i) : type == Type::f64 ? unary_if<F, f64>(i) : nullptr;
}
bool is_real(const Instruction& i) { return last_type(i) == Type::f32 || last_type(i) == Type::f64; }
bool to_nearest(const Instruction& i) { return i.modifiers.size() == 1 || (i.modifiers.size() == 2 && i.has("rn")); }
bool is_spelt(const Instruction& i, std::initializer_list<std::string_view> spelling) {
  return i.modifiers == std::vector<std::string_view>(spelling);
}

template <class F, Resolver integer>
Handler rounded(Instruction& i) {
  if (!is_real(i)) return integer(i);
  return to_nearest(i) ? two<F>(i) : directed(i);
}
template <class F, Resolver integer>
Handler chosen(Instruction& i) {
  if (!is_real(i)) return integer(i);
  return i.modifiers.size() == 1 ? two<F>(i) : nullptr;
}
template <class F, Resolver integer>
Handler sign(Instruction& i) {
  if (!is_real(i)) return integer(i);
  return i.modifiers.size() == 1 ? one<F>(i) : nullptr;
}
Handler fma(Instruction& i) {
  if (is_spelt(i, {"rn", "f32"})) return ternary_if<Fma, f32>(i);
  if (is_spelt(i, {"rn", "f64"})) return ternary_if<Fma, f64>(i);
  return directed(i);
}
template <Resolver integer>
Handler div(Instruction& i) {
  if (!is_real(i)) return integer(i);
  return i.modifiers.size() == 2 && i.modifiers[0] == "rn" ? two<Div>(i) : nullptr;
}
Handler sqrt(Instruction& i) { return i.modifiers.size() == 2 && i.modifiers[0] == "rn" ? one<Sqrt>(i) : nullptr; }
Handler rcp(Instruction& i) {
  if (is_spelt(i, {"approx", "ftz", "f32"})) return unary_if<ReciprocalFlushed, f32>(i);
  return i.modifiers.size() == 2 && i.modifiers[0] == "rn" ? one<Reciprocal>(i) : nullptr;
}
Handler ex2(Instruction& i) {
  return is_spelt(i, {"approx", "ftz", "f32"}) ? unary_if<PowerOf2Flushed, f32>(i) : nullptr;
}

const Family families[] = {{"add", rounded<Add, integer_add>},
                           {"sub", rounded<Sub, integer_sub>},
                           {"mul", rounded<Mul, integer_mul>},
                           {"div", div<integer_div>},
                           {"min", chosen<Min, integer_min>},
                           {"max", chosen<Max, integer_max>},
                           {"neg", sign<Neg, integer_neg>},
                           {"abs", sign<Abs, integer_abs>},
                           {"fma", fma},
                           {"sqrt", sqrt},
                           {"rcp", rcp},
                           {"ex2", ex2}};

}  // namespace

}  // namespace ptx
