#include "traffic.h"

#include <algorithm>
#include <string>

#include "instruction.h"

namespace ptx {
namespace {

constexpr uint32_t kWord = 4, kGroupAgents = kMaxWarps + kMaxObjects;

void raise(Clock& to, const Clock& from) {
  for (uint32_t agent = 0; agent < kAgents; ++agent) to[agent] = std::max(to[agent], from[agent]);
}

std::string place(size_t index) { return "shared memory at offset " + std::to_string(index * kWord); }

}  // namespace

void Knowledge::join(const Knowledge& other) {
  raise(seen, other.seen);
  raise(fenced, other.fenced);
  raise(begun, other.begun);
}

Traffic::Traffic(uint32_t warps, uint32_t bytes) : words_((bytes + kWord - 1) / kWord), warps_(warps) { reset(); }

void Traffic::reset() {
  std::fill(words_.begin(), words_.end(), Word());
  landings_.fill(0);
  barriers_ = {};
  for (uint32_t warp = 0; warp < warps_.size(); ++warp) {
    warps_[warp] = Knowledge();
    warps_[warp].seen[warp] = 1;
  }
}

void Traffic::check_known(uint32_t agent, uint32_t step, size_t index, uint32_t warp, const char* what) const {
  if (!step || agent == warp || warps_[warp].seen[agent] >= step) return;
  const std::string who = agent < kMaxWarps      ? "warp " + std::to_string(agent)
                          : agent < kGroupAgents ? "an asynchronous copy"
                                                 : "a wgmma";
  fail(place(index) + " is used by warp " + std::to_string(warp) + ", but it was " + what + " by " + who +
       " and no barrier orders the two");
}

// Lanes run in lock step here, but need not on a device.
void Traffic::check_lane(bool same_step, uint32_t other, size_t index, uint32_t thread, const char* what) const {
  if (!same_step || other == thread % kLanes) return;
  fail(place(index) + " is used by lane " + std::to_string(thread % kLanes) + ", but it was " + what + " by lane " +
       std::to_string(other) + " of the same warp and no bar.warp.sync is in between");
}

void Traffic::read(uint32_t offset, uint32_t bytes, uint32_t thread) {
  const uint32_t warp = thread / kLanes;
  for (size_t i = offset / kWord, end = (offset + bytes + kWord - 1) / kWord; i < end; ++i) {
    Word& word = words_[i];
    if (word.copying) fail(place(i) + " is read while an asynchronous copy may still be writing it");
    if (word.object) fail(place(i) + " is read, but an mbarrier lives there");
    check_known(word.writer, word.written, i, warp, "written");
    check_lane(word.writer == warp && word.written == now(warp), word.writer_lane, i, thread, "written");
    word.reader = static_cast<uint8_t>(warp);
    word.reader_lane = static_cast<uint8_t>(thread % kLanes);
    word.was_read = now(warp);
  }
}

void Traffic::check_write(const Word& word, size_t index, uint32_t thread, Proxy proxy) const {
  const uint32_t warp = thread / kLanes;
  if (word.copying) fail(place(index) + " is written while an asynchronous copy may still be writing it");
  if (word.products) fail(place(index) + " is written while a wgmma in flight may still read it");
  if (word.object) fail(place(index) + " is written, but an mbarrier lives there");
  check_known(word.reader, word.was_read, index, warp, "read");
  check_known(word.writer, word.written, index, warp, "written");
  check_lane(word.reader == warp && word.was_read == now(warp), word.reader_lane, index, thread, "read");
  check_lane(word.writer == warp && word.written == now(warp), word.writer_lane, index, thread, "written");
  if (proxy == Proxy::generic) return;
  const Clock& fenced = warps_[warp].fenced;
  if (word.was_read && word.reader < kMaxWarps && fenced[word.reader] < word.was_read)
    fail(place(index) +
         " was read in the generic proxy and is written in the asynchronous one without a "
         "fence.proxy.async in between");
  if (word.written && word.proxy == Proxy::generic && fenced[word.writer] < word.written)
    fail(place(index) +
         " was written in the generic proxy and is written in the asynchronous one without a "
         "fence.proxy.async in between");
}

void Traffic::write(uint32_t offset, uint32_t bytes, uint32_t thread) {
  for (size_t i = offset / kWord, end = (offset + bytes + kWord - 1) / kWord; i < end; ++i) {
    Word& word = words_[i];
    if (bytes < kWord) word.written = 0;  // perhaps of the word's other half: may be a store of any lane
    check_write(word, i, thread, Proxy::generic);
    mark_written(word, thread);
  }
}

void Traffic::mark_written(Word& word, uint32_t thread) {
  word.writer = static_cast<uint8_t>(thread / kLanes);
  word.writer_lane = static_cast<uint8_t>(thread % kLanes);
  word.written = now(thread / kLanes);
  word.proxy = Proxy::generic;
}

void Traffic::arrive(uint32_t barrier, uint64_t generation, uint32_t warp) {
  Gathering& gathering = barriers_[barrier][generation & 1];
  if (gathering.generation != generation) gathering = {generation, {}};
  release(gathering.knowledge, warp);
}

void Traffic::leave(uint32_t barrier, uint64_t generation, uint32_t warp) {
  acquire(barriers_[barrier][generation & 1].knowledge, warp);
}

void Traffic::release(Knowledge& to, uint32_t warp) {
  to.join(warps_[warp]);
  ++warps_[warp].seen[warp];
}

// The step after a fence is another one: what is written then is not fenced by it.
void Traffic::fence_proxy(uint32_t warp) {
  Knowledge& known = warps_[warp];
  raise(known.fenced, known.seen);
  raise(known.begun, known.seen);
  ++known.seen[warp];
}

void Traffic::fence_init(uint32_t warp) {
  Knowledge& known = warps_[warp];
  raise(known.begun, known.seen);
  ++known.seen[warp];
}

void Traffic::start_copy(uint32_t offset, uint32_t bytes, uint32_t thread, Proxy proxy) {
  for (size_t i = offset / kWord, end = (offset + bytes) / kWord; i < end; ++i) {
    check_write(words_[i], i, thread, proxy);
    words_[i].copying = true;
  }
}

void Traffic::land_here(uint32_t offset, uint32_t bytes, uint32_t thread) {
  for (size_t i = offset / kWord, end = (offset + bytes) / kWord; i < end; ++i) {
    words_[i].copying = false;
    mark_written(words_[i], thread);
  }
}

void Traffic::land(uint32_t offset, uint32_t bytes, uint32_t object, Knowledge& through, Proxy proxy) {
  const uint32_t agent = kMaxWarps + object, step = ++landings_[object];
  for (size_t i = offset / kWord, end = (offset + bytes) / kWord; i < end; ++i) {
    Word& word = words_[i];
    word.copying = false;
    word.writer = static_cast<uint8_t>(agent);
    word.written = step;
    word.proxy = proxy;
  }
  through.seen[agent] = step;
}

void Traffic::share_landings(uint32_t object, Knowledge& with) const {
  with.seen[kMaxWarps + object] = landings_[object];
}

void Traffic::start_product(uint32_t offset, uint32_t warp) {
  for (size_t i = offset / kWord, end = i + 16 / kWord; i < end; ++i) {
    Word& word = words_[i];
    if (word.copying) fail(place(i) + " is read by wgmma while an asynchronous copy may still be writing it");
    if (word.object) fail(place(i) + " is read by wgmma, but an mbarrier lives there");
    check_known(word.writer, word.written, i, warp, "written");
    if (word.written && word.proxy == Proxy::generic && warps_[warp].fenced[word.writer] < word.written)
      fail(place(i) + " was written in the generic proxy and is read by wgmma without a fence.proxy.async in between");
    ++word.products;
  }
}

void Traffic::end_product(uint32_t offset, uint16_t warps, uint32_t group, uint32_t step) {
  for (size_t i = offset / kWord, end = i + 16 / kWord; i < end; ++i) {
    words_[i].products = static_cast<uint16_t>(words_[i].products - warps);
    words_[i].reader = static_cast<uint8_t>(kGroupAgents + group);
    words_[i].was_read = step;
  }
}

void Traffic::observe_products(uint32_t group, uint32_t step, uint32_t warp) {
  uint32_t& seen = warps_[warp].seen[kGroupAgents + group];
  seen = std::max(seen, step);
}

void Traffic::reserve(uint32_t offset, uint32_t bytes, bool on) {
  for (size_t i = offset / kWord; i < (offset + bytes) / kWord; ++i) words_[i].object = on;
}

}  // namespace ptx
