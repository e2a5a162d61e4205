// For handlers that treat each lane alone.
#pragma once
#include <cstring>
#include <type_traits>

#include "machine.h"

namespace ptx {

using f32 = float;
using f64 = double;

template <class T>
using Slot = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

template <class T>
inline T get(Slot<T> slot) {
  if constexpr (std::is_integral_v<T>) return static_cast<T>(slot);
  T value;
  std::memcpy(&value, &slot, sizeof value);
  return value;
}
template <class T>
inline Slot<T> put(T value) {
  if constexpr (std::is_integral_v<T>) return static_cast<std::make_unsigned_t<T>>(value);
  Slot<T> slot;
  std::memcpy(&slot, &value, sizeof value);
  return slot;
}
// Operations on f32 that give NaN give this one.
inline f32 canonical(f32 value) {
  const uint32_t kNan = 0x7FFFFFFF;
  return value == value ? value : get<f32>(kNan);
}

template <class T>
inline Slot<T>* slots(Warp& w, const Operand& o) {
  return reinterpret_cast<Slot<T>*>(w.registers + (sizeof(T) == 8 ? o.wide_at : o.at));
}

// Calls body(lane) for the lanes that execute: all 32 in a loop that the compiler can vectorise, if so.
template <class Body>
inline __attribute__((always_inline)) void for_lanes(const Warp& w, const Body& body) {
  if (w.lanes == kAll) {
#pragma GCC ivdep
    for (uint32_t l = 0; l < kLanes; l++) body(l);
  } else {
    for (uint32_t rest = w.lanes; rest; rest &= rest - 1) body(static_cast<uint32_t>(__builtin_ctz(rest)));
  }
}

// How operands are checked when a kernel is read: registers have the width of what is in them.
inline bool fits(const Operand& o, int bits) {
  return o.kind == Operand::kConstant || (o.kind == Operand::kRegister && o.bits == bits);
}
template <class... Bits>
bool widths(const Instruction& i, Bits... bits) {
  if (i.count != sizeof...(bits)) return false;
  size_t k = 0;
  return (fits(i[k++], bits) && ...);
}

enum class Type : uint8_t { pred, u8, s8, u16, s16, f16, bf16, u32, s32, f32, u64, s64, f64, none };
// "b32" is read as u32.
Type type_of(std::string_view name);
int bits_of(Type type);
inline Type last_type(const Instruction& i) { return i.modifiers.empty() ? Type::none : type_of(i.modifiers.back()); }

}  // namespace ptx
