// Finds the kernels and the shared variables of a module, without reading what kernels do.
#include <cxxabi.h>

#include <cstdlib>

#include "declarations.h"
#include "kernel.h"
#include "text.h"

namespace ptx {

namespace {

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
      shared.push_back(shared_variable(reader.to(';'), dynamic));
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
