#include "core/pool.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "core/status.h"

namespace voxelspark {

constexpr int64_t kGranule = 512;  // alignment and unit of blocks

static int64_t rounded(int64_t bytes) { return std::max<int64_t>(1, (bytes + kGranule - 1) / kGranule) * kGranule; }

Pool::~Pool() {
  try {
    wait_idle_();
  } catch (const Failure&) {
    // A device that failed runs nothing any more, and whoever used it has been told.
  }
  for (auto& [begin, segment] : segments_) api_.release(begin, segment.bytes);
}

bool Pool::add_segment(int64_t bytes) {
  int64_t size = std::max(bytes, api_.segment_bytes);
  char* begin = static_cast<char*>(api_.allocate(size));
  if (!begin && size > bytes) begin = static_cast<char*>(api_.allocate(size = bytes));
  if (!begin) return false;
  segments_[begin] = {size, 0, part_};
  chunks_[begin] = {size, begin, true};
  free_[part_].insert({size, begin});
  return true;
}

void* Pool::take(int64_t bytes) {
  auto& free = free_[part_];
  auto fit = free.lower_bound({bytes, nullptr});
  if (fit == free.end()) return nullptr;
  char* begin = fit->second;
  free.erase(fit);
  Chunk& chunk = chunks_[begin];
  if (chunk.bytes > bytes) {
    char* rest = begin + bytes;
    chunks_[rest] = {chunk.bytes - bytes, chunk.segment, true};
    free.insert({chunk.bytes - bytes, rest});
  }
  chunk.bytes = bytes;
  chunk.free = false;
  Segment& segment = segments_[chunk.segment];
  segment.extent = std::max<int64_t>(segment.extent, begin + bytes - chunk.segment);
  return begin;
}

void* Pool::allocate(int64_t bytes) {
  const int64_t size = rounded(bytes);
  void* memory = nullptr;
  if (!limit_ || live_ + size <= limit_) {
    memory = take(size);
    if (!memory && (add_segment(size) || (flush(), add_segment(size)))) memory = take(size);
  }
  if (!memory) {
    throw Failure("OUT_OF_MEMORY", "out of memory: " + std::to_string(size) + " bytes requested, " +
                                       std::to_string(live_) + " live, " + std::to_string(cached_bytes()) + " cached" +
                                       (limit_ ? ", limit " + std::to_string(limit_) : std::string()) +
                                       "; use a smaller patch or batch, or dispose tensors earlier");
  }
  live_ += size;
  peak_ = std::max(peak_, live_);
  return memory;
}

void Pool::join_next(Chunks::iterator chunk) {
  auto next = std::next(chunk);
  if (next == chunks_.end() || !next->second.free || next->second.segment != chunk->second.segment) return;
  free_of(next->second).erase({next->second.bytes, next->first});
  chunk->second.bytes += next->second.bytes;
  chunks_.erase(next);
}

void Pool::release(void* memory) {
  auto chunk = chunks_.find(static_cast<char*>(memory));
  live_ -= chunk->second.bytes;
  chunk->second.free = true;
  join_next(chunk);
  if (chunk != chunks_.begin()) {
    auto previous = std::prev(chunk);
    if (previous->second.free && previous->second.segment == chunk->second.segment) {
      free_of(previous->second).erase({previous->second.bytes, previous->first});
      join_next(chunk = previous);
    }
  }
  free_of(chunk->second).insert({chunk->second.bytes, chunk->first});
}

void Pool::flush() {
  if (!wait_idle_()) return;
  for (auto segment = segments_.begin(); segment != segments_.end();) {
    const auto chunk = chunks_.find(segment->first);
    if (segment->second.part == kSteps || !chunk->second.free || chunk->second.bytes != segment->second.bytes) {
      ++segment;
      continue;
    }
    free_[kCommon].erase({chunk->second.bytes, chunk->first});
    chunks_.erase(chunk);
    api_.release(segment->first, segment->second.bytes);
    segment = segments_.erase(segment);
  }
}

void Pool::join_parts() {
  for (auto& [begin, segment] : segments_) segment.part = kCommon;
  free_[kCommon].merge(free_[kSteps]);
}

int64_t Pool::cached_bytes() const {
  int64_t extent = 0;
  for (const auto& [begin, segment] : segments_) extent += segment.extent;
  return extent - live_;
}

}  // namespace voxelspark
