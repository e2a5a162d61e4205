// Caching allocator over one device's memory.
//
// Sizes are rounded to classes (eight steps an octave, so at most 12.5 % is lost) and freed blocks wait in a list
// per class. Allocation and release happen in launch order on one thread and the device runs launches in the same
// order; a block may therefore be handed out again while the kernel that last used it is still queued.
// On exhaustion the cache is flushed once the device is idle and the request tried once more; then OUT_OF_MEMORY.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <unordered_map>
#include <vector>

namespace voxelspark {

struct MemoryApi {
  void* (*allocate)(int64_t bytes);  // null when there is none
  void (*release)(void* memory);
};

class Pool {
 public:
  // `wait_idle` returns when no queued kernel can touch released blocks any more.
  Pool(MemoryApi api, std::function<void()> wait_idle) : api_(api), wait_idle_(std::move(wait_idle)) {}
  ~Pool();  // returns live blocks too

  void* allocate(int64_t bytes);
  void release(void* memory);
  void flush();

  int64_t live_bytes() const { return live_; }
  int64_t cached_bytes() const { return cached_; }
  int64_t peak_bytes() const { return peak_; }
  void reset_peak() { peak_ = live_; }
  void set_limit(int64_t bytes) { limit_ = bytes; }  // of live + cached; 0 = none

 private:
  void* try_allocate(int64_t size);

  MemoryApi api_;
  std::function<void()> wait_idle_;
  std::map<int64_t, std::vector<void*>> free_;
  std::unordered_map<void*, int64_t> size_of_;
  int64_t live_ = 0, cached_ = 0, peak_ = 0, limit_ = 0;
};

}  // namespace voxelspark
