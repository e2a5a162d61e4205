// The list of launches of a program that is too large to be emulated: host code runs as it is, kernels do not. With a
// file named by VOXELSPARK_EMULATOR_LAUNCHES every kernel and every copy becomes a line of it; device memory then has
// addresses and nobody touches it, so that a step of 80 GB needs no memory, and what is read back is zeros.
#pragma once
#include <cstddef>
#include <string>

#include "emulator.h"

namespace emulator {

bool lists_launches();
void list_line(const std::string& line);
void list_kernel(const char* name, Index grid, Index block, size_t bytes);

// The name of a kernel with its template arguments, out of the compiler's name of this function.
template <auto kKernel>
const char* name_of() {
  return __PRETTY_FUNCTION__;
}

}  // namespace emulator
