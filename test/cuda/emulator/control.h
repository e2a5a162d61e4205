// How a test steers the emulator of its own process: through a file, since the sandbox of a test cannot change the
// environment that native code sees.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace emulator {

// The order of turns.
class Order {
 public:
  enum Kind { ascending, descending, drawn };
  Order(Kind kind, uint32_t seed) : kind_(kind), state_(seed * 2654435761u + 1) {}
  void arrange(std::vector<size_t>& turns);

 private:
  Kind kind_;
  uint32_t state_;
};

// As the file at the path VOXELSPARK_EMULATOR_CONTROL + process id says: "<order> <seed> <launches before one fails>
// <bytes of device memory>"; ascending, never failing and 8 GB without it.
Order current_order();
bool fail_this_launch();
size_t memory_limit();

}  // namespace emulator
