// Runs CUDA kernels on one CPU core, thread block by thread block, to test them where there is no GPU.
//
// Every CUDA thread is a fiber that runs until it waits at a barrier or ends; the schedule says in which order threads
// and blocks take their turns: ascending, descending, or drawn anew each round. A kernel whose result depends on the
// order, because a barrier is missing or blocks share what they write, gives different values. Shared memory starts as
// NaN in every block, so what nobody wrote is seen. Found and reported as a failed launch: threads that end while
// others wait, and threads that wait at different barriers.
//
// Not emulated: warps in lockstep, shuffles, atomics, streams that overlap, memory models, time.
#pragma once
#include <cstddef>
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

// Runs body once a thread of every block. Problems become the error of cudaGetLastError().
void launch(Index grid, Index block, const std::function<void()>& body);

// Within a kernel.
void barrier(const void* place);
void* shared_memory(int key, size_t bytes);

// Of the kernel that ran last; empty when it was well behaved.
const std::string& complaint();
void forget_complaint();

}  // namespace emulator
