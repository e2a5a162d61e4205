// Kernels as the runtime knows them, and launches of them.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "kernel.h"
#include "machine.h"

namespace ptx {

// A module that is read when one of its kernels is launched first.
class Library {
 public:
  explicit Library(std::function<std::string()> text) : text_(std::move(text)) {}
  const Module& module();

 private:
  std::function<std::string()> text_;
  std::unique_ptr<Module> module_;
};

struct Function {
  Library* library = nullptr;
  std::string name;
  std::unique_ptr<Kernel> kernel;     // when it was launched
  uint32_t dynamic_limit = 48 << 10;  // bytes that a launch may ask for
};

// What is wrong becomes emulator::complaint(), and nothing is launched.
std::shared_ptr<Launch> prepare(Function& f, Index grid, Index block, size_t bytes, void** arguments);
void allow_dynamic(Function& f, int bytes);
void run_prepared(Launch& launch, emulator::Late late);

}  // namespace ptx
