// Arithmetic that is rounded towards zero or an infinity. Compiled with -frounding-math: the mode of the processor is
// set around each operation.
#include <cfenv>
#include <cmath>

#include "lanes.h"

namespace ptx {

namespace {

template <int mode, class Body>
f32 in_mode(const Body& body) {
  const int before = std::fegetround();
  std::fesetround(mode);
  volatile f32 result = body();
  std::fesetround(before);
  return canonical(result);
}
template <int mode>
struct Add {
  static f32 of(f32 a, f32 b) {
    volatile f32 x = a, y = b;
    return in_mode<mode>([&] { return x + y; });
  }
};
template <int mode>
struct Sub {
  static f32 of(f32 a, f32 b) {
    volatile f32 x = a, y = b;
    return in_mode<mode>([&] { return x - y; });
  }
};
template <int mode>
struct Mul {
  static f32 of(f32 a, f32 b) {
    volatile f32 x = a, y = b;
    return in_mode<mode>([&] { return x * y; });
  }
};
template <int mode>
struct Fma {
  static f32 of(f32 a, f32 b, f32 c) {
    volatile f32 x = a, y = b, z = c;
    return in_mode<mode>([&] { return std::fma(x, y, z); });
  }
};

template <int mode>
Handler with_mode(const Instruction& i) {
  if (i.opcode == "add") return binary_if<Add<mode>, f32>(i);
  if (i.opcode == "sub") return binary_if<Sub<mode>, f32>(i);
  if (i.opcode == "mul") return binary_if<Mul<mode>, f32>(i);
  if (i.opcode == "fma") return ternary_if<Fma<mode>, f32>(i);
  return nullptr;
}

}  // namespace

Handler directed(Instruction& i) {
  if (i.modifiers.size() != 2 || i.modifiers[1] != "f32") return nullptr;
  if (i.modifiers[0] == "rz") return with_mode<FE_TOWARDZERO>(i);
  if (i.modifiers[0] == "rm") return with_mode<FE_DOWNWARD>(i);
  if (i.modifiers[0] == "rp") return with_mode<FE_UPWARD>(i);
  return nullptr;
}

}  // namespace ptx
