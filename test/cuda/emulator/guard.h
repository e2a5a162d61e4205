// For the build with AddressSanitizer: what the pool adds to a tensor or to scratch memory when it rounds sizes up is
// out of bounds while a kernel runs: memory there need not hold a value.
#pragma once
#include <sanitizer/asan_interface.h>

#include <utility>
#include <vector>

#include "ops/kernel.h"

namespace emulator {

class Guard {
 public:
  Guard() = default;
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  ~Guard() {
    for (const auto& [begin, bytes] : tails_) __asan_unpoison_memory_region(begin, bytes);
  }
  void close(void* memory, int64_t bytes) {
    constexpr int64_t kGranule = 512;  // of core/pool.cc
    const int64_t tail = (kGranule - bytes % kGranule) % kGranule;
    if (!memory || bytes == 0 || tail == 0) return;
    tails_.emplace_back(static_cast<char*>(memory) + bytes, tail);
    __asan_poison_memory_region(tails_.back().first, tails_.back().second);
  }

 private:
  std::vector<std::pair<char*, size_t>> tails_;
};

template <void (*kernel)(const voxelspark::Descriptor&, const voxelspark::Launch&)>
void guarded(const voxelspark::Descriptor& descriptor, const voxelspark::Launch& launch) {
  Guard guard;
  for (const auto* tensors : {&launch.inputs, &launch.outputs})
    for (const voxelspark::Tensor& t : *tensors) guard.close(t.data, t.data ? t.layout.bytes() : 0);
  guard.close(launch.workspace, descriptor.cuda_workspace(launch.inputs));
  kernel(descriptor, launch);
}

}  // namespace emulator
