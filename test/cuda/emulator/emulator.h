// Runs CUDA kernels on one CPU core, thread block by thread block, to test them where there is no GPU.
//
// Every CUDA thread is a fiber that runs until it waits or ends; the schedule says in which order threads and blocks
// take their turns: ascending, descending, or drawn anew each round, where threads also lose their turn at random, or
// one warp is starved and runs when nobody else can. A kernel whose result depends on the order, because a barrier is
// missing or blocks share what they write, gives different values. Shared memory starts as NaN in every block, so what
// nobody wrote is seen. Found and reported as a failed launch: threads that end while others wait, that wait at
// different barriers or for what never happens, addresses outside the dynamic shared memory or misaligned, and lanes of
// a warp that disagree on an instruction.
//
// tensor.h has what tensor-core kernels need: warps, matrix products, asynchronous copies and their barriers.
//
// Not emulated: atomics, streams that overlap, memory models, bank conflicts, time.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace emulator {

struct Index {
  unsigned x = 1, y = 1, z = 1;
  Index() = default;
  Index(unsigned x, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
  size_t count() const { return static_cast<size_t>(x) * y * z; }
};

extern Index block_index, block_size, grid_size;
const Index& thread_index();

// Runs body once a thread of every block, which has so many bytes of dynamic shared memory. Problems become the error
// of cudaGetLastError().
void launch(Index grid, Index block, size_t bytes, const std::function<void()>& body);

// Within a kernel.
void barrier(const void* place);
void* shared_memory(int key, size_t bytes);

// For the instructions of tensor.h. Threads are numbered within their block.
size_t thread_number();
size_t thread_count();
// Waits until the counter has another value.
void wait_for_change(const uint64_t& counter, uint64_t value);
// Ends the turn at random where the order is drawn.
void may_lose_turn();
// Ends the kernel with a complaint; `number` is put behind it.
[[noreturn]] void fail(const char* complaint, uint64_t number);
// Dynamic shared memory starts at this address; what is outside or misaligned fails.
constexpr uint32_t kDynamicShared = 1024;
uint8_t* shared_at(uint32_t address, uint32_t bytes);

// Of the kernel that ran last; empty when it was well behaved.
const std::string& complaint();
void forget_complaint();

}  // namespace emulator
