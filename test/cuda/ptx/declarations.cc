#include "declarations.h"

#include <algorithm>
#include <cstdlib>

#include "machine.h"
#include "text.h"

namespace ptx {

static uint32_t rounded(uint32_t bytes, uint32_t to) { return (bytes + to - 1) / to * to; }

// ".align 16 .b8 name[2048]" behind ".shared"; of elements of one byte, as nvcc declares all.
Variable shared_variable(std::string_view declaration, bool dynamic) {
  Reader reader(declaration);
  Variable v{{}, 0, 1, dynamic};
  uint32_t element = 0;
  while (reader.skip() && reader.peek() == '.') {
    reader.at++;
    const auto word = reader.name();
    int64_t number;
    if (word == "align") {
      reader.skip();
      if (!read_number(reader.name(), number)) fail("an alignment is not a number");
      v.alignment = static_cast<uint32_t>(number);
    } else {
      element = static_cast<uint32_t>(std::atoi(std::string(word.substr(1)).c_str()) / 8);
    }
  }
  v.name = reader.name();
  v.bytes = element;
  v.alignment = std::max(v.alignment, element);
  if (reader.skip() && reader.peek() == '[') {
    reader.at++;
    const auto extent = trimmed(reader.to(']'));
    int64_t number = 0;
    if (!extent.empty() && !read_number(extent, number)) fail("the extent of a shared variable is not a number");
    v.bytes = element * static_cast<uint32_t>(number);
  }
  return v;
}

// ".maxntid 128, 1, 1"
static uint32_t product_of(std::string_view header, std::string_view directive, uint32_t otherwise) {
  const size_t at = header.find(directive);
  if (at == header.npos) return otherwise;
  const size_t begin = at + directive.size(), end = std::min(header.find('\n', begin), header.size());
  int64_t product = 1;
  for (const auto number : split(header.substr(begin, end - begin), ',')) {
    int64_t factor;
    if (!read_number(number, factor)) fail(std::string(directive) + " is not a number");
    product *= factor;
  }
  return static_cast<uint32_t>(product);
}

void read_header(std::string_view header, Kernel& kernel, Symbols& symbols) {
  const size_t open = header.find('('), close = header.rfind(')');
  for (const auto parameter :
       open == header.npos ? std::vector<std::string_view>{} : split(header.substr(open + 1, close - open - 1), ',')) {
    if (parameter.empty()) continue;
    const Variable v = shared_variable(parameter.substr(std::string_view(".param").size()), false);
    const uint32_t offset = rounded(kernel.parameter_bytes, v.alignment);
    kernel.parameters.push_back({v.name, offset, v.bytes});
    kernel.parameter_bytes = offset + v.bytes;
    symbols[v.name] = offset;
  }
  kernel.most_threads = product_of(header, ".maxntid", 1024);
  kernel.most_registers = product_of(header, ".maxnreg", 0);
  kernel.least_blocks = product_of(header, ".minnctapersm", 0);
}

// Those of the module that the kernel names, and its own; what is extern begins behind them.
void place_variables(const Module& module, std::string_view body, Kernel& kernel, Symbols& symbols) {
  std::vector<Variable> all;
  for (const Variable& v : module.shared)
    if (body.find(v.name) != body.npos) all.push_back(v);
  constexpr std::string_view kShared = ".shared ";  // a declaration: no instruction has a space there
  for (size_t at = body.find(kShared); at != body.npos; at = body.find(kShared, at + 1))
    all.push_back(shared_variable(body.substr(at + 8, body.find(';', at) - at - 8), false));
  uint32_t end = kSharedStart;
  for (const Variable& v : all) {
    if (v.dynamic) continue;
    end = rounded(end, v.alignment);
    symbols[v.name] = end;
    end += v.bytes;
  }
  kernel.static_shared = end - kSharedStart;
  for (const Variable& v : all)
    if (v.dynamic) end = std::max(end, rounded(end, v.alignment));
  for (const Variable& v : all)
    if (v.dynamic) symbols[v.name] = end;
  kernel.dynamic_start = end;
}

}  // namespace ptx
