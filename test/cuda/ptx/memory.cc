// ld and st (PTX ISA 9.7.9.8, 9.7.9.12): of parameters, of shared memory, and of global memory, which generic addresses
// mean, too. Addresses are multiples of the bytes of the whole vector.
#include "counters.h"
#include "global.h"
#include "handlers.h"

namespace ptx {

namespace {

template <class Space>
const uint8_t* read(Warp& w, uint32_t lane, uint64_t address, uint32_t bytes);
struct Global {};
struct Shared {};
struct Parameters {};
template <>
const uint8_t* read<Global>(Warp&, uint32_t, uint64_t address, uint32_t bytes) {
  return read_global(address, bytes, bytes);
}
template <>
const uint8_t* read<Shared>(Warp& w, uint32_t lane, uint64_t address, uint32_t bytes) {
  return w.block.read_shared(static_cast<uint32_t>(address), bytes, bytes, w.thread(lane));
}
template <>
const uint8_t* read<Parameters>(Warp& w, uint32_t, uint64_t address, uint32_t bytes) {
  const auto& all = w.block.launch.parameters;
  if (address % bytes || address + bytes > all.size()) fail("a parameter is read at " + hex(address));
  return all.data() + address;
}

template <class Space>
void note(Warp& w, const Operand& address, uint32_t bytes) {
  if (!counting || std::is_same_v<Space, Parameters>) return;
  if (std::is_same_v<Space, Shared>) count_shared(w, address, bytes, w.lanes);
  else count_global(w, address, bytes, w.lanes);
}

// T as it is in memory; signed numbers are extended to the register's width, others with zeros.
template <class T, class Register>
void load_lane(Warp& w, const Operand& d, uint32_t lane, const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  slots<Register>(w, d)[lane] = put<Register>(static_cast<Register>(value));
}
template <class Space, class T, class Register>
Outcome load(Warp& w, const Instruction& i) {
  const auto count = static_cast<uint32_t>(i.detail), bytes = count * static_cast<uint32_t>(sizeof(T));
  const bool list = i[0].kind == Operand::kList;
  note<Space>(w, i[1], bytes);
  for_lanes(w, [&](uint32_t l) {
    const uint8_t* from = read<Space>(w, l, w.address(i[1], l), bytes);
    if (!list) return load_lane<T, Register>(w, i[0], l, from);
    for (uint32_t k = 0; k < count; k++) load_lane<T, Register>(w, i.item(i[0], k), l, from + k * sizeof(T));
  });
  return Outcome::done;
}

// The low bits, where the register is wider.
template <class T, class Register>
void store_lane(Warp& w, const Operand& a, uint32_t lane, uint8_t* to) {
  const T value = static_cast<T>(slots<Register>(w, a)[lane]);
  std::memcpy(to, &value, sizeof value);
}
template <class Space, class T, class Register = T>
Outcome store(Warp& w, const Instruction& i) {
  const auto count = static_cast<uint32_t>(i.detail), bytes = count * static_cast<uint32_t>(sizeof(T));
  const bool list = i[1].kind == Operand::kList;
  note<Space>(w, i[0], bytes);
  for_lanes(w, [&](uint32_t l) {
    const uint64_t address = w.address(i[0], l);
    uint8_t* to;
    if constexpr (std::is_same_v<Space, Shared>)
      to = w.block.write_shared(static_cast<uint32_t>(address), bytes, bytes, w.thread(l));
    else to = write_global(address, bytes, bytes);
    if (!list) return store_lane<T, Register>(w, i[1], l, to);
    for (uint32_t k = 0; k < count; k++) store_lane<T, Register>(w, i.item(i[1], k), l, to + k * sizeof(T));
  });
  return Outcome::done;
}

// What the modifiers say; hints about caches do not matter here.
struct Spelling {
  enum Where { global, shared, parameter } where = global;
  uint32_t count = 1;
  Type type = Type::none;
  bool known = true;

  explicit Spelling(const Instruction& i) {
    bool space = false;
    for (size_t k = 0; k + 1 < i.modifiers.size(); k++) {
      const auto m = i.modifiers[k];
      const bool named = m == "global" || m == "shared" || m == "param" || m == "shared::cta";
      if (named && !space) where = m == "global" ? global : m == "param" ? parameter : shared;
      else if (m == "v2" || m == "v4") count = m == "v2" ? 2 : 4;
      else if (m != "nc" && m != "volatile" && m != "L1::no_allocate" && m.substr(0, 4) != "L2::") known = false;
      space |= named;
    }
    type = last_type(i);
  }
  // Whether a register, or each of a list, has at least the type's width: the same width, of all.
  int bits(const Instruction& i, const Operand& o) const {
    if (o.kind != Operand::kList) return count == 1 ? o.bits : -1;
    if (o.count != count) return -1;
    for (uint32_t k = 1; k < count; k++)
      if (i.item(o, k).bits != i.item(o, 0).bits && i.item(o, k).kind == Operand::kRegister) return -1;
    return i.item(o, 0).bits;
  }
};

template <class Space, class T, class Wider>
Handler load_into(int bits) {
  if (bits == 16 && sizeof(T) <= 2) return load<Space, T, std::conditional_t<sizeof(T) <= 2, uint16_t, Wider>>;
  if (bits == 32 && sizeof(T) <= 4) return load<Space, T, uint32_t>;
  if (bits == 64) return load<Space, T, uint64_t>;
  return nullptr;
}
template <class Space>
Handler load_of(Type type, int bits) {
  switch (type) {
    case Type::u8: return load_into<Space, uint8_t, uint32_t>(bits);
    case Type::s8: return load_into<Space, int8_t, uint32_t>(bits);
    case Type::u16: return load_into<Space, uint16_t, uint32_t>(bits);
    case Type::s16: return load_into<Space, int16_t, uint32_t>(bits);
    case Type::f32:
    case Type::u32: return load_into<Space, uint32_t, uint32_t>(bits);
    case Type::s32: return load_into<Space, int32_t, uint32_t>(bits);
    case Type::f64:
    case Type::u64:
    case Type::s64: return load_into<Space, uint64_t, uint64_t>(bits);
    default: return nullptr;
  }
}
Handler ld(Instruction& i) {
  const Spelling s(i);
  i.detail = s.count;
  if (!s.known || i.count != 2 || i[1].kind != Operand::kAddress) return nullptr;
  const int bits = s.bits(i, i[0]);
  if (s.where == Spelling::parameter) return load_of<Parameters>(s.type, bits);
  if (s.where == Spelling::shared) return load_of<Shared>(s.type, bits);
  return i[1].bits == 64 ? load_of<Global>(s.type, bits) : nullptr;
}

template <class Space>
Handler store_of(Type type, int bits) {
  const int own = bits_of(type);
  if (bits && bits < own) return nullptr;
  if (bits == 64 && own == 32) return store<Space, uint32_t, uint64_t>;
  if (bits == 64 && own < 32) return nullptr;
  switch (own) {
    case 8: return store<Space, uint8_t>;
    case 16: return store<Space, uint16_t>;
    case 32: return store<Space, uint32_t>;
    case 64: return store<Space, uint64_t>;
    default: return nullptr;
  }
}
Handler st(Instruction& i) {
  const Spelling s(i);
  i.detail = s.count;
  if (!s.known || i.count != 2 || i[0].kind != Operand::kAddress) return nullptr;
  const int bits = s.bits(i, i[1]);
  if (bits < 0) return nullptr;
  if (s.where == Spelling::shared) return store_of<Shared>(s.type, bits);
  return s.where == Spelling::global && i[0].bits == 64 ? store_of<Global>(s.type, bits) : nullptr;
}

const Family families[] = {{"ld", ld}, {"st", st}};

}  // namespace

}  // namespace ptx
