// Finds the kernels and the shared variables of a module, without reading what kernels do.
#include <cxxabi.h>

#include <cstdlib>

#include "kernel.h"
#include "text.h"

namespace ptx {

namespace {

// ".align 16 .b8 name[2048]" behind ".shared"; of elements of one byte, as nvcc declares all.
Variable read_variable(std::string_view declaration, bool dynamic) {
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

size_t behind_braces(const std::string& text, size_t at) {
  int depth = 0;
  Reader reader(text, at);
  while (reader.skip()) {
    const char c = reader.peek();
    reader.at++;
    if (c == '{') depth++;
    if (c == '}' && --depth == 0) return reader.at;
  }
  fail("a kernel without an end");
}

}  // namespace

Variable shared_variable(std::string_view declaration, bool dynamic) { return read_variable(declaration, dynamic); }

Module::Module(std::string all) : text(std::make_shared<const std::string>(std::move(all))) {
  Reader reader(*text);
  bool dynamic = false;
  while (reader.skip()) {
    if (reader.peek() != '.') fail("PTX outside of kernels begins with '" + std::string(reader.line()) + "'");
    const size_t begin = reader.at++;
    const auto word = reader.name();
    if (word == "version" || word == "target" || word == "address_size" || word == "file" || word == "loc") {
      reader.line();
    } else if (word == "visible" || word == "weak") {
      continue;
    } else if (word == "extern") {
      dynamic = true;
    } else if (word == "shared") {
      shared.push_back(read_variable(reader.to(';'), dynamic));
      dynamic = false;
    } else if (word == "entry") {
      reader.skip();
      const std::string name(reader.name());
      const size_t body = text->find('{', reader.at);
      reader.at = behind_braces(*text, body);
      entries[name] = {begin, body, reader.at};
    } else if (word == "section") {
      reader.at = behind_braces(*text, text->find('{', reader.at));
    } else {
      fail("PTX outside of kernels has the unknown directive ." + std::string(word));
    }
  }
}

std::string Kernel::title() const {
  int status = 0;
  char* found = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
  std::string title = found && status == 0 ? found : name;
  std::free(found);
  constexpr size_t kMost = 200;
  return title.size() > kMost ? title.substr(0, kMost) + "..." : title;
}

}  // namespace ptx
