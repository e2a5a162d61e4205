// Caching allocator over one device's memory.
//
// Memory is taken from the device in segments and handed out best fit; neighbours that are free join again, so sizes
// that change with every mask do not pile up. Allocation and release happen in launch order on one thread and the
// device runs launches in the same order; a block may therefore be handed out again while the kernel that last used it
// is still queued. On exhaustion the unused segments are returned once the device is idle and the request is tried
// once more; then OUT_OF_MEMORY.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <utility>

namespace voxelspark {

struct MemoryApi {
  void* (*allocate)(int64_t bytes);  // null when there is none
  void (*release)(void* memory, int64_t bytes);
  int64_t segment_bytes;  // of a segment; larger requests get one of their own
};

class Pool {
 public:
  // `wait_idle` returns when no queued kernel can touch released blocks any more.
  Pool(MemoryApi api, std::function<void()> wait_idle) : api_(api), wait_idle_(std::move(wait_idle)) {}
  ~Pool();  // returns live blocks too

  void* allocate(int64_t bytes);
  void release(void* memory);
  // Returns segments in which nothing is live.
  void flush();

  int64_t live_bytes() const { return live_; }
  int64_t cached_bytes() const;  // once handed out, free now
  int64_t peak_bytes() const { return peak_; }
  void reset_peak() { peak_ = live_; }
  void set_limit(int64_t bytes) { limit_ = bytes; }  // of live bytes; 0 = none

 private:
  struct Segment {
    int64_t bytes;
    int64_t extent;  // end of what was ever handed out
  };
  struct Chunk {
    int64_t bytes;
    char* segment;
    bool free;
  };
  using Chunks = std::map<char*, Chunk>;

  void* take(int64_t bytes);
  bool add_segment(int64_t bytes);
  void join_next(Chunks::iterator chunk);

  MemoryApi api_;
  std::function<void()> wait_idle_;
  std::map<char*, Segment> segments_;
  Chunks chunks_;                             // all memory of all segments, by address
  std::set<std::pair<int64_t, char*>> free_;  // by size, then address
  int64_t live_ = 0, peak_ = 0, limit_ = 0;
};

}  // namespace voxelspark
