// What the parts of the emulated runtime know of its streams.
#pragma once
#include <mutex>

#include "cuda_runtime.h"

namespace emulator {

// Of one call: calls of all threads follow each other.
class Runtime {
 public:
  Runtime();
  // What a thread that captures must not do spoils its capture.
  cudaError_t refuse_in_capture();
  // Waits for everything, which nobody may do while any stream is captured.
  cudaError_t synchronize();
  // What a failed kernel has left, for good.
  cudaError_t status();
  // Leaves an error with the thread until it is taken.
  cudaError_t failed(cudaError_t error);
  cudaError_t take_error();
  void run(cudaStream_t stream);
  void run_all();

 private:
  std::unique_lock<std::recursive_mutex> lock_;
};

}  // namespace emulator
