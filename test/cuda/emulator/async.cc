#include <cstring>
#include <deque>
#include <map>

#include "control.h"
#include "group.h"
#include "tensor.h"

namespace emulator {

namespace {

constexpr uint32_t kVector = 16;

struct SharedBarrier {
  uint32_t arrivals, pending;
  int64_t bytes;   // announced and not yet copied
  uint64_t phase;  // phases completed
};

struct Copy {
  enum Kind { values, arrival, group_end } kind;
  uint32_t to;  // or the barrier
  const void* from;
  size_t thread;
};

struct BulkCopy {
  uint32_t to;
  const void* from;
  uint32_t bytes, barrier;
};

struct NamedBarrier {
  int arrived = 0, threads = 0;
  uint64_t generation = 0;
};

Late late;
std::map<uint32_t, SharedBarrier> barriers;  // by address; a map does not move its values
std::vector<std::deque<Copy>> copies;        // of every thread
std::deque<BulkCopy> bulk_copies;
NamedBarrier named[16];

SharedBarrier& barrier_at(uint32_t address) {
  const auto found = barriers.find(address);
  if (found == barriers.end()) fail("a barrier in shared memory was never initialised", address);
  return found->second;
}

void complete_if_done(SharedBarrier& b) {
  if (b.pending || b.bytes) return;
  b.phase++;
  b.pending = b.arrivals;
}

void arrive(uint32_t address) {
  SharedBarrier& b = barrier_at(address);
  if (b.pending == 0) fail("more arrivals at a barrier in shared memory than it waits for", address);
  b.pending--;
  complete_if_done(b);
}

void apply(const Copy& c) {
  if (c.kind == Copy::arrival) arrive(c.to);
  if (c.kind != Copy::values) return;
  uint8_t* to = shared_at(c.to, kVector);
  wrote(c.thread, c.to);
  if (c.from) std::memcpy(to, c.from, kVector);
  else std::memset(to, 0, kVector);
}

void apply(const BulkCopy& c) {
  std::memcpy(shared_at(c.to, kVector), c.from, c.bytes);
  for (uint32_t at = 0; at < c.bytes; at += kVector) copied_in_bulk(c.to + at);
  SharedBarrier& b = barrier_at(c.barrier);
  b.bytes -= c.bytes;
  complete_if_done(b);
}

std::deque<Copy>& own_copies() { return copies[thread_number()]; }

void issue(const Copy& c) {
  if (late.copies) own_copies().push_back(c);
  else apply(c);
}

// Up to the first arrival of a thread's copies, if there is one.
bool finish_one_arrival(std::deque<Copy>& own) {
  bool waited_for = false;
  for (const Copy& c : own) waited_for = waited_for || c.kind == Copy::arrival;
  while (waited_for && !own.empty()) {
    const Copy c = own.front();
    own.pop_front();
    apply(c);
    if (c.kind == Copy::arrival) break;
  }
  return waited_for;
}

}  // namespace

void reset_instructions(Late late_instructions, size_t shared_bytes) {
  late = late_instructions;
  barriers.clear();
  copies.assign(thread_count(), {});
  bulk_copies.clear();
  for (NamedBarrier& b : named) b = {};
  reset_warps();
  reset_products(late.products);
  reset_proxies(shared_bytes);
}

bool finish_late_copies() {
  bool any = !bulk_copies.empty();
  for (; !bulk_copies.empty(); bulk_copies.pop_front()) apply(bulk_copies.front());
  for (auto& own : copies) any = finish_one_arrival(own) || any;
  return any;
}

void copy_async(uint32_t to, const void* from, bool valid) {
  may_lose_turn();
  if (reinterpret_cast<uintptr_t>(from) % kVector) fail("a copy from an address that is not aligned", to);
  shared_at(to, kVector);
  issue({Copy::values, to, valid ? from : nullptr, thread_number()});
}

void commit_copies() { own_copies().push_back({Copy::group_end, 0, nullptr, thread_number()}); }

void wait_copies(int groups) {
  std::deque<Copy>& own = own_copies();
  int pending = 0;
  for (const Copy& c : own) pending += c.kind == Copy::group_end;
  while (pending > groups) {
    pending -= own.front().kind == Copy::group_end;
    apply(own.front());
    own.pop_front();
  }
  may_lose_turn();
}

void arrive_after_copies(uint32_t barrier) { issue({Copy::arrival, barrier, nullptr, thread_number()}); }

void copy_bulk(uint32_t to, const void* from, uint32_t bytes, uint32_t barrier) {
  constexpr uint32_t kMostAnnounced = (1 << 20) - 1;  // bytes that a barrier can wait for
  if (reinterpret_cast<uintptr_t>(from) % kVector || bytes % kVector) fail("a bulk copy that is not aligned", to);
  if (bytes > kMostAnnounced) fail("a bulk copy of more bytes than a barrier counts", bytes);
  shared_at(to, kVector);
  shared_at(to + bytes - kVector, kVector);
  SharedBarrier& b = barrier_at(barrier);
  b.bytes += bytes;
  arrive(barrier);
  const BulkCopy copy{to, from, bytes, barrier};
  if (late.copies) bulk_copies.push_back(copy);
  else apply(copy);
  may_lose_turn();
}

void barrier_init(uint32_t barrier, uint32_t arrivals) {
  shared_at(barrier, sizeof(uint64_t));
  barriers[barrier] = {arrivals, arrivals, 0, 0};
}

void barrier_arrive(uint32_t barrier) {
  may_lose_turn();
  arrive(barrier);
}

void barrier_wait(uint32_t barrier, uint32_t parity) {
  const SharedBarrier& b = barrier_at(barrier);
  while (b.phase % 2 == parity) wait_for_change(b.phase, b.phase);
}

void named_barrier(int id, int threads) {
  if (id < 1 || id > 15 || threads % 32) fail("a named barrier that does not exist", static_cast<uint64_t>(id));
  NamedBarrier& b = named[id];
  if (b.arrived && b.threads != threads)
    fail("threads disagree on the size of a named barrier", static_cast<uint64_t>(id));
  b.threads = threads;
  if (++b.arrived < threads) {
    wait_for_change(b.generation, b.generation);
    return;
  }
  b.arrived = 0;
  b.generation++;
}

}  // namespace emulator
