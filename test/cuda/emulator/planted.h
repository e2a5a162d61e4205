// Which of the bugs that are compiled into a backend this process runs: the one that VOXELSPARK_PLANTED_BUG numbers, or
// none. See planted.ts.
#pragma once
#include <cstdlib>

namespace emulator {

inline volatile int planted_bug = [] {
  const char* number = std::getenv("VOXELSPARK_PLANTED_BUG");
  return number ? std::atoi(number) : -1;
}();

// Not for the compiler to know, which would make two kernels of one, with barriers of their own.
__attribute__((noinline)) inline bool planted(int bug) { return bug == planted_bug; }

}  // namespace emulator
