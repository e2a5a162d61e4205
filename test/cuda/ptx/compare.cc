// Comparisons and choices (PTX ISA 9.7.6).
#include "lanes.h"

namespace ptx {

namespace {

template <class F, class T>
Outcome compare(Warp& w, const Instruction& i) {
  const auto* a = slots<T>(w, i[1]);
  const auto* b = slots<T>(w, i[2]);
  uint32_t bits = 0;
  for (uint32_t l = 0; l < kLanes; l++) bits |= static_cast<uint32_t>(F::of(get<T>(a[l]), get<T>(b[l]))) << l;
  uint32_t& p = w.predicate(i[0]);
  p = (p & ~w.lanes) | (bits & w.lanes);
  return Outcome::done;
}

#define COMPARISON(name, expression) \
  struct name {                      \
    template <class T>               \
    static bool of(T a, T b) {       \
      return expression;             \
    }                                \
  };
COMPARISON(Equal, a == b)
COMPARISON(NotEqual, a<b || a> b)
COMPARISON(Less, a < b)
COMPARISON(LessEqual, a <= b)
COMPARISON(Greater, a > b)
COMPARISON(GreaterEqual, a >= b)
// True of NaN, too.
COMPARISON(EqualOrNan, !(a < b || a > b))
COMPARISON(NotEqualOrNan, !(a == b))
COMPARISON(LessOrNan, !(a >= b))
COMPARISON(LessEqualOrNan, !(a > b))
COMPARISON(GreaterOrNan, !(a <= b))
COMPARISON(GreaterEqualOrNan, !(a < b))
COMPARISON(Numbers, a == a && b == b)
COMPARISON(AnyNan, a != a || b != b)
#undef COMPARISON

template <class F>
Handler integers(Type type) {
  switch (type) {
    case Type::u16: return compare<F, uint16_t>;
    case Type::s16: return compare<F, int16_t>;
    case Type::u32: return compare<F, uint32_t>;
    case Type::s32: return compare<F, int32_t>;
    case Type::u64: return compare<F, uint64_t>;
    case Type::s64: return compare<F, int64_t>;
    default: return nullptr;
  }
}
template <class F>
Handler reals(Type type) {
  return type == Type::f32 ? compare<F, f32> : type == Type::f64 ? compare<F, f64> : nullptr;
}
template <class F>
Handler both(Type type) {
  const Handler handler = reals<F>(type);
  return handler ? handler : integers<F>(type);
}

Handler comparison(std::string_view name, Type type) {
  if (name == "eq") return both<Equal>(type);
  if (name == "ne") return bits_of(type) && !reals<NotEqual>(type) ? integers<NotEqual>(type) : reals<NotEqual>(type);
  if (name == "lt") return both<Less>(type);
  if (name == "le") return both<LessEqual>(type);
  if (name == "gt") return both<Greater>(type);
  if (name == "ge") return both<GreaterEqual>(type);
  if (name == "equ") return reals<EqualOrNan>(type);
  if (name == "neu") return reals<NotEqualOrNan>(type);
  if (name == "ltu") return reals<LessOrNan>(type);
  if (name == "leu") return reals<LessEqualOrNan>(type);
  if (name == "gtu") return reals<GreaterOrNan>(type);
  if (name == "geu") return reals<GreaterEqualOrNan>(type);
  if (name == "num") return reals<Numbers>(type);
  if (name == "nan") return reals<AnyNan>(type);
  return nullptr;
}

Handler setp(Instruction& i) {
  if (i.modifiers.size() != 2) return nullptr;
  const Type type = last_type(i);
  // Bits are equal or not, and have no order.
  if (i.modifiers[1][0] == 'b' && i.modifiers[0] != "eq" && i.modifiers[0] != "ne") return nullptr;
  return widths(i, 1, bits_of(type), bits_of(type)) ? comparison(i.modifiers[0], type) : nullptr;
}

template <class T>
Outcome select(Warp& w, const Instruction& i) {
  auto* d = slots<T>(w, i[0]);
  const auto* a = slots<T>(w, i[1]);
  const auto* b = slots<T>(w, i[2]);
  const uint32_t p = w.predicate(i[3]);
  for_lanes(w, [&](uint32_t l) { d[l] = p >> l & 1 ? a[l] : b[l]; });
  return Outcome::done;
}
Handler selp(Instruction& i) {
  const int bits = bits_of(last_type(i));
  if (i.modifiers.size() != 1 || !widths(i, bits, bits, bits, 1) || i[3].kind != Operand::kRegister) return nullptr;
  return bits == 64 ? select<uint64_t> : bits == 32 || bits == 16 ? select<uint32_t> : nullptr;
}

const Family families[] = {{"setp", setp}, {"selp", selp}};

}  // namespace

}  // namespace ptx
