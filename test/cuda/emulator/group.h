// Instructions that threads of a warp or a warpgroup execute together.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "emulator.h"

namespace emulator {

// For a new block.
void reset_warps();
void reset_products(bool late);
void reset_proxies(size_t bytes);  // of dynamic shared memory

// Of shared memory, 16 bytes or a part of them; see proxies.cc.
void wrote(size_t thread, uint32_t address);
void copied_in_bulk(uint32_t address);
void read_by_products(uint32_t address);

// The calling thread changed registers that products may use.
void changed_registers();

// Columns of a product that the host adds to at once.
typedef float Eight __attribute__((vector_size(32)));

constexpr size_t kWarp = 32, kWarpgroup = 128;

// Where the lanes of one group meet.
struct Meeting {
  size_t arrived = 0;
  uint64_t generation = 0;
  void (*instruction)(void**) = nullptr;
  void* lanes[kWarpgroup] = {};
};

// Runs instruction(what every lane brought) when the last lane has come.
inline void meet(std::vector<Meeting>& meetings, size_t lanes, void* brought, void (*instruction)(void**)) {
  may_lose_turn();
  const size_t thread = thread_number();
  meetings.resize(thread_count() / lanes);
  if (thread / lanes >= meetings.size()) fail("a thread without a complete warp or warpgroup", thread);
  Meeting& m = meetings[thread / lanes];
  if (m.arrived && m.instruction != instruction) fail("lanes of one warp execute different instructions", thread);
  m.instruction = instruction;
  m.lanes[thread % lanes] = brought;
  if (++m.arrived < lanes) {
    wait_for_change(m.generation, m.generation);
    return;
  }
  m.arrived = 0;
  instruction(m.lanes);
  m.generation++;
}

}  // namespace emulator
