// What is declared: parameters and limits of a kernel, variables in shared memory.
#pragma once
#include <string_view>
#include <unordered_map>

#include "kernel.h"

namespace ptx {

using Symbols = std::unordered_map<std::string_view, uint32_t>;  // offsets of parameters, addresses of variables

// What stands behind ".shared", or ".param".
Variable shared_variable(std::string_view declaration, bool dynamic);
void read_header(std::string_view header, Kernel& kernel, Symbols& symbols);
void place_variables(const Module& module, std::string_view body, Kernel& kernel, Symbols& symbols);

}  // namespace ptx
