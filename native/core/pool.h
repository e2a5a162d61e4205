// Caching allocator over one device's memory.
//
// Memory is taken from the device in segments and handed out best fit; neighbours that are free join again, so sizes
// that change with every mask do not pile up. Allocation and release happen in launch order on one thread and the
// device runs launches in the same order; a block may therefore be handed out again while the kernel that last used it
// is still queued. On exhaustion the unused segments are returned once the device is idle and the request is tried
// once more; then OUT_OF_MEMORY.
//
// Memory comes in two parts: what is released goes back to the part that it came from. Steps that are captured in a
// graph, and those that take turns with them, use a part of their own, since a graph writes where it wrote when it was
// captured. Until `join_parts` nothing else is put there.
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
  // `wait_idle` returns when no queued kernel can touch released blocks any more; false: that cannot be awaited now.
  Pool(MemoryApi api, std::function<bool()> wait_idle) : api_(api), wait_idle_(std::move(wait_idle)) {}
  ~Pool();  // returns live blocks too

  void* allocate(int64_t bytes);
  void release(void* memory);
  // Returns segments in which nothing is live, but for those of steps.
  void flush();
  // Whether memory is for a step from now on.
  void use_part_of_steps(bool steps) { part_ = steps ? kSteps : kCommon; }
  void join_parts();

  int64_t live_bytes() const { return live_; }
  int64_t cached_bytes() const;  // once handed out, free now
  int64_t peak_bytes() const { return peak_; }
  void reset_peak() { peak_ = live_; }
  void set_limit(int64_t bytes) { limit_ = bytes; }  // of live bytes; 0 = none

 private:
  enum Part { kCommon, kSteps, kParts };
  struct Segment {
    int64_t bytes;
    int64_t extent;  // end of what was ever handed out
    Part part;
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
  std::set<std::pair<int64_t, char*>>& free_of(const Chunk& chunk) { return free_[segments_[chunk.segment].part]; }

  MemoryApi api_;
  std::function<bool()> wait_idle_;
  std::map<char*, Segment> segments_;
  Chunks chunks_;                                     // all memory of all segments, by address
  std::set<std::pair<int64_t, char*>> free_[kParts];  // by size, then address
  Part part_ = kCommon;
  int64_t live_ = 0, peak_ = 0, limit_ = 0;
};

}  // namespace voxelspark
