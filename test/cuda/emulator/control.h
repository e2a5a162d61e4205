// How a test steers the emulator of its own process: through a file, since the sandbox of a test cannot change the
// environment that native code sees.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace emulator {

// The order of turns. `starved`: ascending, but the warp of the seed's number runs only when nobody else can, so that
// it comes as late as it may to whatever it waits for.
class Order {
 public:
  enum Kind { ascending, descending, drawn, starved };
  Order(Kind kind, uint32_t seed) : kind_(kind), warp_(seed), state_(seed * 2654435761u + 1) {}
  void arrange(std::vector<size_t>& turns);
  bool starves(size_t thread) const { return kind_ == starved && thread / 32 == warp_; }
  // Now and then, where turns are drawn.
  bool lose_turn();

 private:
  uint32_t draw();
  Kind kind_;
  uint32_t warp_, state_;
};

// What may be delayed: without it, it takes effect at once, with it as late as is allowed. Asynchronous instructions of
// kernels, and the work of streams: those of threads, which run kernels, and those that were created, which copy.
struct Late {
  bool copies, products, threads, created;
};

// What goes wrong with a graph.
enum class GraphFailure { none, begin, capture, memory };

// As the file at the path VOXELSPARK_EMULATOR_CONTROL + process id says: "<order> <seed> <launches before one fails>
// <bytes of device memory> <late: 1 copies + 2 products + 4 threads + 8 created> <compute capability times 10>
// <graph failure>"; ascending, never failing, 8 GB, nothing late and 8.0 without it.
Order current_order();
Late current_late();
bool fail_this_launch();
GraphFailure graph_failure();
size_t memory_limit();
int compute_capability();
size_t shared_limit();  // bytes of a block, of such a device

}  // namespace emulator
