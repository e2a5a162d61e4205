#include "core/pool.h"

#include <algorithm>
#include <string>

#include "core/status.h"

namespace voxelspark {

static int64_t size_class(int64_t bytes) {
  if (bytes <= 512) return 512;
  int64_t octave = 512;
  while (octave * 2 <= bytes) octave *= 2;
  const int64_t step = std::max<int64_t>(octave / 8, 512);
  return (bytes + step - 1) / step * step;
}

Pool::~Pool() {
  wait_idle_();
  for (auto& entry : size_of_) api_.release(entry.first);
  flush();
}

void* Pool::try_allocate(int64_t size) {
  auto it = free_.find(size);
  if (it != free_.end() && !it->second.empty()) {
    void* memory = it->second.back();
    it->second.pop_back();
    cached_ -= size;
    return memory;
  }
  if (limit_ && live_ + cached_ + size > limit_) return nullptr;
  return api_.allocate(size);
}

void* Pool::allocate(int64_t bytes) {
  const int64_t size = size_class(bytes);
  void* memory = try_allocate(size);
  if (!memory) {
    flush();
    memory = try_allocate(size);
  }
  if (!memory) {
    throw Failure("OUT_OF_MEMORY", "out of memory: " + std::to_string(size) + " bytes requested, " +
                                       std::to_string(live_) + " live, " + std::to_string(cached_) + " cached" +
                                       (limit_ ? ", limit " + std::to_string(limit_) : std::string()) +
                                       "; use a smaller patch or batch, or dispose tensors earlier");
  }
  size_of_[memory] = size;
  live_ += size;
  peak_ = std::max(peak_, live_);
  return memory;
}

void Pool::release(void* memory) {
  const int64_t size = size_of_.at(memory);
  size_of_.erase(memory);
  free_[size].push_back(memory);
  live_ -= size;
  cached_ += size;
}

void Pool::flush() {
  if (!cached_) return;
  wait_idle_();
  for (auto& entry : free_)
    for (void* memory : entry.second) api_.release(memory);
  free_.clear();
  cached_ = 0;
}

}  // namespace voxelspark
