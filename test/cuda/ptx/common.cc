#include <cstdio>
#include <map>
#include <stdexcept>

#include "handlers.h"

namespace ptx {

void fail(const std::string& complaint) { throw std::runtime_error(complaint); }

std::string hex(uint64_t number) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(number));
  return text;
}

static std::map<std::string_view, Resolver>& families() {
  static auto* all = new std::map<std::string_view, Resolver>;
  return *all;
}

Family::Family(const char* name, Resolver resolver) {
  if (!families().emplace(name, resolver).second) std::abort();
}

Handler Family::resolve(Instruction& i) {
  const size_t guard = i.source.text[0] == '@' ? i.source.text.find(i.opcode, i.source.text.find_first_of(" \t")) : 0;
  std::string_view name = i.source.text.substr(guard);
  name = name.substr(0, name.find_first_of(" \t\n;"));
  for (;;) {
    const auto family = families().find(name);
    if (family != families().end()) return family->second(i);
    const size_t dot = name.rfind('.');
    if (dot == name.npos) return nullptr;
    name = name.substr(0, dot);
  }
}

Type type_of(std::string_view name) {
  static const std::map<std::string_view, Type> types = {{"pred", Type::pred}, {"u8", Type::u8},   {"b8", Type::u8},
                                                         {"s8", Type::s8},     {"u16", Type::u16}, {"b16", Type::u16},
                                                         {"s16", Type::s16},   {"f16", Type::f16}, {"bf16", Type::bf16},
                                                         {"u32", Type::u32},   {"b32", Type::u32}, {"s32", Type::s32},
                                                         {"f32", Type::f32},   {"u64", Type::u64}, {"b64", Type::u64},
                                                         {"s64", Type::s64},   {"f64", Type::f64}};
  const auto found = types.find(name);
  return found == types.end() ? Type::none : found->second;
}

int bits_of(Type type) {
  switch (type) {
    case Type::pred: return 1;
    case Type::u8:
    case Type::s8: return 8;
    case Type::u16:
    case Type::s16:
    case Type::f16:
    case Type::bf16: return 16;
    case Type::u32:
    case Type::s32:
    case Type::f32: return 32;
    case Type::u64:
    case Type::s64:
    case Type::f64: return 64;
    case Type::none: break;
  }
  return 0;
}

}  // namespace ptx
