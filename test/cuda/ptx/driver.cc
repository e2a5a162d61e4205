// Runs one kernel of a PTX file, for tests of single instructions:
//   run FILE KERNEL BLOCKS THREADS SHARED early | late < INPUT > OUTPUT
// The kernel has one parameter, the address of a buffer with INPUT, which is OUTPUT when it ends. Exits with 3 and a
// sentence when the kernel fails. `late`: asynchronous instructions take effect as late as is allowed.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

#include "../emulator/cuda_runtime.h"
#include "launch.h"

int main(int count, char** words) {
  if (count != 7) return 1;
  std::ifstream file(words[1]);
  std::ostringstream text;
  text << file.rdbuf();
  const std::string input((std::istreambuf_iterator<char>(std::cin)), {});
  void* buffer = nullptr;
  if (cudaMalloc(&buffer, input.size()) != cudaSuccess) return 1;
  input.copy(static_cast<char*>(buffer), input.size());
  ptx::Library library([&] { return text.str(); });
  ptx::Function function;
  function.library = &library;
  function.name = words[2];
  const auto number = [&](int k) { return static_cast<uint32_t>(std::atoi(words[k])); };
  ptx::allow_dynamic(function, static_cast<int>(number(5)));
  void* arguments[] = {&buffer};
  const auto launch = ptx::prepare(function, {number(3), 1, 1}, {number(4), 1, 1}, number(5), arguments);
  const bool late = std::string(words[6]) == "late";
  if (launch) ptx::run_prepared(*launch, emulator::Late{late, late, false, false});
  if (!emulator::complaint().empty()) {
    std::cerr << emulator::complaint() << "\n";
    return 3;
  }
  std::cout.write(static_cast<char*>(buffer), static_cast<std::streamsize>(input.size()));
  return 0;
}
