// Reads a kernel: its parameters, its variables, and its instructions with names resolved to places.
#include <algorithm>
#include <unordered_map>

#include "counters.h"
#include "declarations.h"
#include "kernel.h"
#include "machine.h"
#include "text.h"
#include "wgmma_registers.h"

namespace ptx {

namespace {

using Names = std::unordered_map<std::string_view, Operand>;

// `{ ... }` in a kernel: registers and labels of its own.
struct Scope {
  const Scope* parent;
  Names registers;
  std::unordered_map<std::string_view, uint8_t> ranges;  // %r<25>: bits by "%r"
  std::unordered_map<std::string_view, uint32_t> labels;
};

uint8_t bits_of(std::string_view type) {
  if (type == "pred") return 1;
  const int bits = std::atoi(std::string(type.substr(1)).c_str());
  return static_cast<uint8_t>(std::max(bits, 16));
}

const std::unordered_map<std::string_view, Special::What> kSpecials = {
    {"%tid.x", Special::tid_x},       {"%tid.y", Special::tid_y},       {"%tid.z", Special::tid_z},
    {"%ntid.x", Special::ntid_x},     {"%ntid.y", Special::ntid_y},     {"%ntid.z", Special::ntid_z},
    {"%ctaid.x", Special::ctaid_x},   {"%ctaid.y", Special::ctaid_y},   {"%ctaid.z", Special::ctaid_z},
    {"%nctaid.x", Special::nctaid_x}, {"%nctaid.y", Special::nctaid_y}, {"%nctaid.z", Special::nctaid_z},
    {"%laneid", Special::laneid},     {"%warpid", Special::warpid},     {"_", Special::nothing}};

class Parser {
 public:
  Parser(const Module& module, Kernel& kernel) : module_(module), kernel_(kernel) {}

  void read(const Module::Entry& entry) {
    const std::string_view text = *module_.text;
    read_header(text.substr(entry.begin, entry.body - entry.begin), kernel_, symbols_);
    place_variables(module_, text.substr(entry.body, entry.end - entry.body), kernel_, symbols_);
    read_body(text, entry);
    for (auto& [instruction, operand, scope, name] : jumps_) resolve_jump(instruction, *operand, scope, name);
  }

 private:
  struct Jump {
    size_t instruction;
    Operand* operand;
    const Scope* scope;
    std::string_view name;
  };

  void read_body(std::string_view text, const Module::Entry& entry) {
    Reader reader(text.substr(0, entry.end), entry.body);
    line_ = 1 + static_cast<uint32_t>(std::count(text.begin(), text.begin() + static_cast<long>(entry.body), '\n'));
    line_at_ = entry.body;
    while (reader.skip()) {
      const char c = reader.peek();
      if (c == '{') {
        scopes_.push_back({scope_, {}, {}, {}});
        scope_ = &scopes_.back();
        reader.at++;
      } else if (c == '}') {
        scope_ = const_cast<Scope*>(scope_->parent);
        reader.at++;
      } else if (c == '.') {
        read_directive(reader);
      } else {
        read_statement(text, reader);
      }
    }
  }

  void read_directive(Reader& reader) {
    const size_t begin = ++reader.at;
    const auto word = reader.name();
    if (word == "loc") {
      reader.line();
    } else if (word == "reg") {
      const auto declaration = reader.to(';');
      const size_t type = declaration.find('.') + 1, space = declaration.find_first_of(" \t", type);
      for (const auto name : split(declaration.substr(space), ','))
        declare(name, bits_of(declaration.substr(type, space - type)));
    } else if (word == "shared" || word == "pragma") {
      reader.to(';');
    } else {
      reader.at = begin;
      fail("the unknown directive '." + std::string(reader.line()) + "'");
    }
  }

  void declare(std::string_view name, uint8_t bits) {
    const size_t range = name.find('<');
    if (range != name.npos) scope_->ranges[name.substr(0, range)] = bits;
    else scope_->registers[name] = new_register(bits);
  }

  void read_statement(std::string_view text, Reader& reader) {
    const size_t begin = reader.at;
    if (reader.peek() != '@') {
      const auto name = reader.name();
      if (!name.empty() && reader.skip() && reader.peek() == ':') {
        scope_->labels[name] = static_cast<uint32_t>(kernel_.code.size());
        reader.at++;
        return;
      }
      reader.at = begin;
    }
    line_ += static_cast<uint32_t>(
        std::count(text.begin() + static_cast<long>(line_at_), text.begin() + static_cast<long>(begin), '\n'));
    line_at_ = begin;
    read_instruction(trimmed(reader.to(';')));
  }

  void read_instruction(std::string_view text) {
    Instruction i;
    i.source = {text, line_};
    if (text[0] == '@') {
      const size_t end = text.find_first_of(" \t");
      i.unless = text[1] == '!';
      const Operand p = find(text.substr(i.unless ? 2 : 1, end - (i.unless ? 2 : 1)));
      if (p.kind != Operand::kRegister || p.bits != 1) fail("a guard is not a predicate: " + std::string(text));
      i.guard = p.at;
      text = trimmed(text.substr(end));
    }
    const size_t end = std::min(text.find_first_of(" \t\n"), text.size());
    read_opcode(i, text.substr(0, end));
    read_operands(i, split(text.substr(end), ','));
    i.flow = i.opcode == "bra"                         ? Instruction::branch
             : i.opcode == "ret" || i.opcode == "exit" ? Instruction::end
                                                       : Instruction::straight;
    i.uniform = i.has("uni");
    if (i.flow == Instruction::straight) {
      i.run = Family::resolve(i);
      if (!i.run) fail("line " + std::to_string(line_) + " has an instruction that is not known: " + std::string(text));
    }
    i.kind = static_cast<uint8_t>(class_of(i));
    kernel_.code.push_back(std::move(i));
  }

  // A dot divides, two colons do not.
  static void read_opcode(Instruction& i, std::string_view text) {
    const size_t dot = std::min(text.find('.'), text.size());
    i.opcode = text.substr(0, dot);
    for (size_t begin = dot; begin < text.size();) {
      const size_t end = std::min(text.find('.', begin + 1), text.size());
      i.modifiers.push_back(text.substr(begin + 1, end - begin - 1));
      begin = end;
    }
  }

  void read_operands(Instruction& i, const std::vector<std::string_view>& parts) {
    auto& operands = kernel_.operands.emplace_back(parts.size());
    auto& items = kernel_.operands.emplace_back();
    items.reserve(i.source.text.size() / 2 + 1);  // more than there can be: places must not move
    for (size_t k = 0; k < parts.size(); k++) operands[k] = read_operand(i, parts[k], items, operands[k]);
    i.operands = operands.data();
    i.count = static_cast<uint32_t>(operands.size());
    i.items = items.data();
  }

  Operand read_operand(const Instruction& i, std::string_view text, std::vector<Operand>& items, Operand& place) {
    const bool pair = text.find('|') != text.npos;
    if (pair || text[0] == '{') {
      Operand list;
      list.kind = Operand::kList;
      list.first = static_cast<uint32_t>(items.size());
      for (const auto part : pair ? split(text, '|') : split(text.substr(1, text.size() - 2), ','))
        items.push_back(find(part));
      list.count = static_cast<uint32_t>(items.size()) - list.first;
      return list;
    }
    if (text[0] == '[') return address(trimmed(text.substr(1, text.size() - 2)));
    if (i.opcode == "bra") {
      jumps_.push_back({kernel_.code.size(), &place, scope_, text});
      Operand label;
      label.kind = Operand::kLabel;
      return label;
    }
    return find(text);
  }

  // [register], [symbol], either with + constant.
  Operand address(std::string_view text) {
    int64_t added = 0;
    const size_t plus = text.find('+');
    if (plus != text.npos && !read_number(trimmed(text.substr(plus + 1)), added))
      fail("an address that is not known: " + std::string(text));
    const auto base = trimmed(text.substr(0, plus));
    Operand o = find(base);
    const bool known = o.kind == Operand::kConstant;
    if (known) {
      added += o.value;
      o = constant(0);
      o.bits = 64;
    }
    o.kind = Operand::kAddress;
    o.value = added;
    return o;
  }

  // A register, a constant or a variable's address.
  Operand find(std::string_view name) {
    int64_t number;
    if (read_number(name, number)) return constant(number);
    for (Scope* s = scope_; s; s = const_cast<Scope*>(s->parent)) {
      const auto known = s->registers.find(name);
      if (known != s->registers.end()) return known->second;
      const size_t digits = name.find_last_not_of("0123456789") + 1;
      const auto range = s->ranges.find(name.substr(0, digits));
      if (range != s->ranges.end()) return s->registers[name] = new_register(range->second);
    }
    const auto special = kSpecials.find(name);
    if (special != kSpecials.end()) {
      const Operand o = new_register(special->second == Special::nothing ? 64 : 32);
      kernel_.specials.push_back({special->second, o.at});
      return scopes_.front().registers[name] = o;
    }
    const auto symbol = symbols_.find(name);
    if (symbol != symbols_.end()) return constant(symbol->second);
    fail("line " + std::to_string(line_) + " has the unknown name '" + std::string(name) + "'");
  }

  Operand constant(int64_t value) {
    auto [found, made] = constants_.try_emplace(value);
    if (made) {
      Operand& o = found->second;
      o.kind = Operand::kConstant;
      o.at = take(4 * kLanes);
      o.wide_at = take(8 * kLanes);
      o.value = value;
      kernel_.constants.push_back({o.at, o.wide_at, value});
    }
    return found->second;
  }

  Operand new_register(uint8_t bits) {
    Operand o;
    o.kind = Operand::kRegister;
    o.bits = bits;
    if (bits == 1) {  // 32 of them share a place
      if (predicates_ % kLanes == 0) predicate_at_ = take(4 * kLanes);
      o.at = o.wide_at = predicate_at_ + 4 * (predicates_++ % kLanes);
    } else {
      o.at = o.wide_at = take(bits == 64 ? 8 * kLanes : 4 * kLanes);
    }
    return o;
  }

  uint32_t take(uint32_t bytes) {
    kernel_.register_bytes += bytes;
    return kernel_.register_bytes - bytes;
  }

  void resolve_jump(size_t instruction, Operand& operand, const Scope* scope, std::string_view name) {
    for (; scope; scope = scope->parent) {
      const auto label = scope->labels.find(name);
      if (label == scope->labels.end()) continue;
      operand.value = kernel_.code[instruction].target = label->second;
      return;
    }
    fail("the unknown label '" + std::string(name) + "'");
  }

  const Module& module_;
  Kernel& kernel_;
  std::deque<Scope> scopes_;
  Scope* scope_ = nullptr;
  Symbols symbols_;
  std::unordered_map<int64_t, Operand> constants_;
  std::vector<Jump> jumps_;
  uint32_t predicates_ = 0, predicate_at_ = 0;
  uint32_t line_ = 0;
  size_t line_at_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> parse(const Module& module, const std::string& name) {
  const auto entry = module.entries.find(name);
  if (entry == module.entries.end()) fail("the module has no kernel " + name);
  auto kernel = std::make_unique<Kernel>();
  kernel->name = name;
  kernel->text = module.text;
  Parser(module, *kernel).read(entry->second);
  find_meetings(kernel->code);
  mark_products(kernel->code);
  return kernel;
}

}  // namespace ptx
