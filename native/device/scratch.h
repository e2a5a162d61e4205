// Private working memory of the threads of a team, kept between launches so that it stays mapped and in the caches.
// It belongs to the thread that launches (the compute queue's), hence two runtimes never share it, and is asked for
// before the team starts, hence a failure is an ordinary Failure. Its size follows the threads and is therefore not
// part of a launch's workspace.
#pragma once
#include <omp.h>

#include <cstdint>
#include <cstdlib>

#include "core/status.h"

namespace voxelspark {

class TeamScratch {
 public:
  // `floats` uninitialised floats for every thread. Valid until the next call on the same thread.
  explicit TeamScratch(int64_t floats) : stride_((floats + kLine - 1) / kLine * kLine) {
    Memory& memory = kept();
    const int64_t total = stride_ * omp_get_max_threads();
    if (total > memory.floats) {
      std::free(memory.data);
      memory.data = static_cast<float*>(std::aligned_alloc(4096, (total * 4 + 4095) / 4096 * 4096));
      memory.floats = memory.data ? total : 0;
      require(memory.data, "OUT_OF_MEMORY", "no memory for " + std::to_string(total * 4) + " bytes of thread scratch");
    }
    data_ = memory.data;
  }
  // Of the calling thread of the team.
  float* mine() const { return data_ + stride_ * omp_get_thread_num(); }

 private:
  static constexpr int64_t kLine = 64;  // four cache lines: neighbours do not prefetch into each other
  struct Memory {
    float* data = nullptr;
    int64_t floats = 0;
    ~Memory() { std::free(data); }
  };
  static Memory& kept() {
    thread_local Memory memory;
    return memory;
  }
  int64_t stride_;
  float* data_;
};

}  // namespace voxelspark
