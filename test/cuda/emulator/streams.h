// Streams of the emulated runtime: each runs its work in order, and as late as its waits allow where current_late()
// says so. A stream that is not late runs everything at once, so that late streams show what is read too early, or
// overwritten too late, when a wait for an event is missing.
#pragma once
#include <functional>
#include <tuple>
#include <utility>

#include "emulator.h"
#include "launches.h"

struct emulator_stream;
using cudaStream_t = emulator_stream*;

namespace emulator {

// Puts work behind that of a stream, or into the graph that captures it.
void enqueue(cudaStream_t stream, std::function<void()> work);
cudaStream_t stream_of_thread();
// The stream that a handle means: CUDA's own header calls that of the thread 2.
cudaStream_t own(cudaStream_t stream);

// The allocation of device memory that an address is in, and its bytes; null if none is.
std::pair<const char*, size_t> device_memory(const void* address);

// A launch on the stream of the calling thread: arguments are copied now, as the runtime does.
template <class Kernel, class... Arguments>
void enqueue_kernel(const char* name, Index grid, Index block, size_t bytes, Kernel kernel, Arguments... arguments) {
  if (lists_launches()) return list_kernel(name, grid, block, bytes);
  enqueue(stream_of_thread(),
          [=, all = std::make_tuple(arguments...)] { launch(grid, block, bytes, [&] { std::apply(kernel, all); }); });
}

}  // namespace emulator
