// With VOXELSPARK_EMULATOR_CLOSED device memory is to the host what a device's is: out of reach, but for kernels and copies.
// Anything else that reads or writes it ends the process by a signal, as it would there.
#pragma once
#include <cstddef>

namespace emulator {

bool closes_memory();
// Pages of their own, closed; null where there are none.
void* take_closed(size_t bytes);
void give_back_closed(void* memory, size_t bytes);

// While it lives all device memory is open.
class Opened {
 public:
  Opened();
  ~Opened();
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
};

}  // namespace emulator
