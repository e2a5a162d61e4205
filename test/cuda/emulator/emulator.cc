#include "emulator.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <numeric>
#include <vector>

#include "closed.h"
#include "control.h"
#include "tensor.h"

// Saves the callee-saved registers of x86-64 on the running stack and goes on with another.
extern "C" void emulator_switch(void** save, void* load);
__asm__(R"(
.text
.globl emulator_switch
.type emulator_switch, @function
emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emulator_switch, .-emulator_switch
)");

namespace emulator {

Index block_index, block_size, grid_size;

namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr size_t kStack = 512 * 1024;  // its frames are larger
#else
constexpr size_t kStack = 64 * 1024;
#endif
constexpr int kSavedRegisters = 6;

enum class State { ready, waiting, blocked, ended };

struct Fiber {
  void* stack_pointer;
  Index index;
  State state;
  const void* place;        // waiting: the barrier
  const uint64_t* counter;  // blocked: goes on when it is no longer `value`
  uint64_t value;

  bool can_run() const { return state == State::ready || (state == State::blocked && *counter != value); }
};

struct SharedArray {
  int key;
  size_t bytes;
  std::unique_ptr<char[]> data;
};

std::mutex one_launch;  // JavaScript environments share the device
std::vector<Fiber> fibers;
std::vector<SharedArray> shared;
std::vector<uint8_t> dynamic;  // shared memory
Fiber* current = nullptr;
Order* current_turns = nullptr;
void* scheduler = nullptr;
const std::function<void()>* kernel = nullptr;
std::string problem;

void run_thread() {
  (*kernel)();
  current->state = State::ended;
  emulator_switch(&current->stack_pointer, scheduler);
  std::abort();  // an ended fiber is never resumed
}

char* stacks(size_t threads) {
  static char* memory = nullptr;
  static size_t count = 0;
  if (count < threads) {
    if (memory) munmap(memory, kStack * count);
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void* got = mmap(nullptr, kStack * threads, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (got == MAP_FAILED) std::abort();
    memory = static_cast<char*>(got);
    count = threads;
  }
  return memory;
}

void prepare(size_t threads) {
  char* memory = stacks(threads);
  fibers.resize(threads);
  for (size_t t = 0; t < threads; t++) {
    void** top = reinterpret_cast<void**>(memory + kStack * (t + 1) - 16);
    *--top = nullptr;  // keeps the stack aligned as if run_thread had been called
    *--top = reinterpret_cast<void*>(run_thread);
    for (int i = 0; i < kSavedRegisters; i++) *--top = nullptr;
    const auto id = static_cast<unsigned>(t);
    const Index index(id % block_size.x, id / block_size.x % block_size.y, id / (block_size.x * block_size.y));
    fibers[t] = {top, index, State::ready, nullptr, nullptr, 0};
  }
}

bool all_in(State state) {
  return std::all_of(fibers.begin(), fibers.end(), [&](const Fiber& f) { return f.state == state; });
}

bool at_one_barrier() {
  return all_in(State::waiting) &&
         std::all_of(fibers.begin(), fibers.end(), [](const Fiber& f) { return f.place == fibers[0].place; });
}

// Why no thread can go on.
const char* stuck() {
  const auto any = [](State state) {
    return std::any_of(fibers.begin(), fibers.end(), [&](const Fiber& f) { return f.state == state; });
  };
  if (any(State::blocked)) return "threads of a block wait for what never happens";
  if (any(State::ended)) return "some threads of a block ended while others wait at a barrier";
  return "threads of a block wait at different barriers";
}

void switch_to_scheduler() { emulator_switch(&current->stack_pointer, scheduler); }

// Whether any thread could take its turn, of those that are starved or of the others.
bool run_round(const std::vector<size_t>& turns, bool starved) {
  bool ran = false;
  for (const size_t t : turns) {
    current = &fibers[t];
    if (!current->can_run() || current_turns->starves(t) != starved) continue;
    ran = true;
    current->state = State::ready;
    emulator_switch(&scheduler, current->stack_pointer);
    if (!problem.empty()) return false;
  }
  return ran;
}

void run_block(Order& order, Late late, size_t bytes) {
  shared.clear();
  dynamic.assign(bytes, 0xFF);  // NaN
  prepare(block_size.count());
  reset_instructions(late, bytes);
  std::vector<size_t> turns(fibers.size());
  for (;;) {
    order.arrange(turns);
    if (run_round(turns, false)) continue;
    if (!problem.empty() || all_in(State::ended)) return;
    if (at_one_barrier())
      for (Fiber& f : fibers) f.state = State::ready;
    else if (!finish_late_copies() && !run_round(turns, true)) {
      if (problem.empty()) problem = stuck();
      return;
    }
  }
}

}  // namespace

const Index& thread_index() { return current->index; }

size_t thread_number() { return static_cast<size_t>(current - fibers.data()); }
size_t thread_count() { return fibers.size(); }

void barrier(const void* place) {
  current->state = State::waiting;
  current->place = place;
  switch_to_scheduler();
}

void wait_for_change(const uint64_t& counter, uint64_t value) {
  if (counter != value) return;
  current->state = State::blocked;
  current->counter = &counter;
  current->value = value;
  switch_to_scheduler();
}

void may_lose_turn() {
  if (current_turns->lose_turn()) switch_to_scheduler();
}

void fail(const char* complaint, uint64_t number) {
  if (problem.empty()) problem = std::string(complaint) + " (" + std::to_string(number) + ")";
  switch_to_scheduler();
  std::abort();  // the block is not resumed
}

uint8_t* shared_at(uint32_t address, uint32_t bytes) {
  if (address % bytes) fail("a shared address is not aligned", address);
  if (address < kDynamicShared || address - kDynamicShared + bytes > dynamic.size())
    fail("a shared address is outside the dynamic shared memory", address);
  return dynamic.data() + (address - kDynamicShared);
}

void* shared_memory(int key, size_t bytes) {
  for (const SharedArray& a : shared)
    if (a.key == key && a.bytes == bytes) return a.data.get();
  size_t all = dynamic.size() + bytes;
  for (const SharedArray& a : shared) all += a.bytes;
  if (all > shared_limit()) fail("arrays and dynamic shared memory are too much for a block", all);
  shared.push_back({key, bytes, std::make_unique<char[]>(bytes)});
  std::memset(shared.back().data.get(), 0xFF, bytes);  // NaN
  return shared.back().data.get();
}

void launch(Index grid, Index block, size_t bytes, const std::function<void()>& body) {
  std::lock_guard<std::mutex> lock(one_launch);
  constexpr size_t kMostThreads = 1024, kMostYZ = 65535;  // of the hardware
  if (block.count() == 0 || block.count() > kMostThreads || grid.count() == 0 || grid.y > kMostYZ || grid.z > kMostYZ) {
    problem = "a launch of " + std::to_string(grid.x) + " x " + std::to_string(grid.y) + " x " +
              std::to_string(grid.z) + " blocks of " + std::to_string(block.count()) + " threads is not possible";
    return;
  }
  if (fail_this_launch()) problem = "a failure that the test asked for";
  const Opened opened;
  kernel = &body;
  grid_size = grid;
  block_size = block;
  if (bytes > shared_limit()) problem = "a launch with " + std::to_string(bytes) + " bytes of shared memory";
  Order order = current_order();
  const Late late = current_late();
  current_turns = &order;
  std::vector<size_t> blocks(grid.count());
  order.arrange(blocks);
  for (const size_t b : blocks) {
    if (!problem.empty()) return;
    const auto id = static_cast<unsigned>(b % (static_cast<size_t>(grid.x) * grid.y));
    block_index = Index(id % grid.x, id / grid.x, static_cast<unsigned>(b / (static_cast<size_t>(grid.x) * grid.y)));
    run_block(order, late, bytes);
  }
}

const std::string& complaint() { return problem; }
void forget_complaint() { problem.clear(); }

}  // namespace emulator
