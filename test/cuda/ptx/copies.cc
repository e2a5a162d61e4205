// Copies from global to shared memory: cp.async (PTX ISA 9.0, 9.7.9.25.3) and cp.async.bulk (9.7.9.25.4). Early, they
// happen when they are issued; late, when something cannot go on without them. Who may touch what in between does not
// depend on that: Traffic knows a copy as long as nothing has waited for it.
#include <algorithm>
#include <cstring>
#include <deque>
#include <set>

#include "counters.h"
#include "global.h"
#include "mbarrier.h"

namespace ptx {
namespace {

struct Copy {
  uint32_t to, bytes;  // shared address; how many come from there, of 16: the others are zeros
  uint64_t from;
};

// The copies of cp.async of a thread, in the order of their issue; they complete in that order, which the ISA leaves
// open.
struct Thread {
  std::deque<Copy> flying;
  uint64_t issued = 0, landed = 0;
  std::deque<uint64_t> groups;  // committed and not waited for: number of the copy after their last
  std::set<uint32_t> through;   // mbarriers that copies have landed through
};

class Copies : public Part {
 public:
  explicit Copies(Block& block) : block_(block) {}

  void start(Warp& w, uint32_t lane, const Copy& copy);
  void commit(uint32_t number) { thread(number).groups.push_back(thread(number).issued); }
  void wait(Warp& w, uint32_t lane, uint64_t but);
  void arrive_after(Warp& w, uint32_t lane, uint32_t barrier, bool counted);
  void bulk(Warp& w, uint32_t lane, uint32_t to, uint64_t from, uint32_t bytes, uint32_t barrier);

  bool advance() override;
  void warp_ended(Warp& w) override;
  void block_ended() override;

 private:
  // What happens through an mbarrier: arriving after a thread's copies (`until`: the number of the one after the last),
  // or a bulk copy.
  struct Late {
    Mbarrier* barrier;
    uint32_t warp = 0, thread = 0;
    uint64_t until = 0;
    Copy copy{};
    bool bulk = false;
  };
  void happen(const Late& late);
  void copy(const Copy& c, uint32_t size);
  Thread& thread(uint32_t number) {
    if (threads_.empty()) threads_.resize(block_.warps.size() * kLanes);
    return threads_[number];
  }
  bool late() const { return block_.launch.late.copies; }

  Block& block_;
  std::vector<Thread> threads_;  // none in blocks without such copies
  std::deque<Late> queue_;
};

const PartOf<Copies> copies;

void Copies::copy(const Copy& c, uint32_t size) {
  uint8_t* to = block_.copy_to_shared(c.to, size, 16);
  if (c.bytes) std::memcpy(to, read_global(c.from, c.bytes, 1), c.bytes);
  std::memset(to + c.bytes, 0, size - c.bytes);
}

void Copies::start(Warp& w, uint32_t lane, const Copy& c) {
  block_.copy_to_shared(c.to, 16, 16);
  block_.traffic.start_copy(c.to - kSharedStart, 16, w.thread(lane), Traffic::Proxy::generic);
  if (c.from % 16) fail("cp.async of 16 bytes from global address " + hex(c.from) + ", which is no multiple of 16");
  if (c.bytes) read_global(c.from, c.bytes, 1);
  Thread& t = thread(w.thread(lane));
  t.flying.push_back(c);
  ++t.issued;
  if (!late()) copy(c, 16);
}

void Copies::wait(Warp& w, uint32_t lane, uint64_t but) {
  Thread& t = thread(w.thread(lane));
  if (t.groups.size() > but)
    for (const uint32_t object : t.through) block_.traffic.share_landings(object, w.number);
  while (t.groups.size() > but) {
    for (; t.landed < t.groups.front(); ++t.landed, t.flying.pop_front()) {
      if (late()) copy(t.flying.front(), 16);
      block_.traffic.land_here(t.flying.front().to - kSharedStart, 16, w.thread(lane));
    }
    t.groups.pop_front();
  }
}

void Copies::arrive_after(Warp& w, uint32_t lane, uint32_t barrier, bool counted) {
  Mbarriers& all = mbarriers.of(block_);
  Late piece{&all.at(w, barrier)};
  if (counted) all.promise(*piece.barrier);
  piece.warp = w.number;
  piece.thread = w.thread(lane);
  piece.until = thread(piece.thread).issued;
  if (late()) queue_.push_back(piece);
  else happen(piece);
}

void Copies::bulk(Warp& w, uint32_t lane, uint32_t to, uint64_t from, uint32_t bytes, uint32_t barrier) {
  if (bytes % 16) fail("cp.async.bulk of " + std::to_string(bytes) + " bytes, which is no multiple of 16");
  if (from % 16) fail("cp.async.bulk from global address " + hex(from) + ", which is no multiple of 16");
  Late piece{&mbarriers.of(block_).for_copy(w, barrier)};
  piece.copy = {to, bytes, from};
  piece.bulk = true;
  block_.copy_to_shared(to, bytes, 16);
  block_.traffic.start_copy(to - kSharedStart, bytes, w.thread(lane), Traffic::Proxy::asynchronous);
  read_global(from, bytes, 1);
  if (late()) queue_.push_back(piece);
  else happen(piece);
}

// Completion of a bulk copy is followed by an implicit proxy fence (9.7.9.25.2), that of cp.async is not: it is a write
// of the generic proxy.
void Copies::happen(const Late& late_piece) {
  Mbarrier& b = *late_piece.barrier;
  if (late_piece.bulk) {
    const Copy& c = late_piece.copy;
    copy(c, c.bytes);
    block_.traffic.land(c.to - kSharedStart, c.bytes, b.number, b.arrived, Traffic::Proxy::asynchronous);
    return mbarriers.of(block_).complete(b, c.bytes);
  }
  Thread& t = thread(late_piece.thread);
  for (; t.landed < late_piece.until; ++t.landed, t.flying.pop_front()) {
    if (late()) copy(t.flying.front(), 16);
    block_.traffic.land(t.flying.front().to - kSharedStart, 16, b.number, b.arrived, Traffic::Proxy::generic);
  }
  if (t.landed) t.through.insert(b.number);
  for (const uint32_t object : t.through) block_.traffic.share_landings(object, b.arrived);
  mbarriers.of(block_).arrive(b, 1);
}

bool Copies::advance() {
  if (queue_.empty()) return false;
  // In the order of their issue, which the ISA leaves open; where turns are drawn, the last may be first.
  const auto next = block_.launch.order.lose_turn() ? queue_.end() - 1 : queue_.begin();
  const Late piece = *next;
  queue_.erase(next);
  happen(piece);
  return true;
}

void Copies::warp_ended(Warp& w) {
  if (threads_.empty()) return;
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    const Thread& t = threads_[w.thread(lane)];
    uint64_t tracked = t.landed;
    for (const Late& piece : queue_)
      if (!piece.bulk && piece.thread == w.thread(lane)) tracked = std::max(tracked, piece.until);
    if (tracked < t.issued) fail("a thread ends with copies of cp.async that nothing waits for");
  }
}

void Copies::block_ended() {
  if (!queue_.empty()) fail("a block ends with asynchronous copies that nobody has waited for");
}

template <class Body>
Outcome each_lane(Warp& w, Body&& body) {
  for (uint32_t lane = 0; lane < kLanes; ++lane)
    if (w.has(lane)) body(lane);
  return Outcome::done;
}

uint32_t place(Warp& w, const Operand& o, uint32_t lane) { return static_cast<uint32_t>(w.address(o, lane)); }

// cp.async.cg.shared.global{.L2::...} [to], [from], 16{, source size}
// Zeros are written without reading.
void count_copies(Warp& w, const Instruction& i) {
  uint32_t reading = 0;
  for (uint32_t lane = 0; lane < kLanes; lane++)
    reading |= uint32_t{w.has(lane) && (i.count <= 3 || w.words(i[3])[lane] > 0)} << lane;
  count_shared(w, i[0], 16, w.lanes);
  if (reading) count_global(w, i[1], 16, reading);
}

Outcome cp_async(Warp& w, const Instruction& i) {
  if (counting) count_copies(w, i);
  return each_lane(w, [&](uint32_t lane) {
    const uint32_t bytes = i.count > 3 ? w.words(i[3])[lane] : 16;
    if (bytes > 16) fail("cp.async of 16 bytes from a source of " + std::to_string(bytes));
    copies.of(w.block).start(w, lane, {place(w, i[0], lane), bytes, w.address(i[1], lane)});
  });
}

Outcome commit(Warp& w, const Instruction&) {
  return each_lane(w, [&](uint32_t lane) { copies.of(w.block).commit(w.thread(lane)); });
}

Outcome wait(Warp& w, const Instruction& i) {
  return each_lane(w, [&](uint32_t lane) { copies.of(w.block).wait(w, lane, static_cast<uint64_t>(i[0].value)); });
}

template <bool counted>
Outcome arrive(Warp& w, const Instruction& i) {
  return each_lane(w, [&](uint32_t lane) { copies.of(w.block).arrive_after(w, lane, place(w, i[0], lane), counted); });
}

Outcome bulk(Warp& w, const Instruction& i) {
  return each_lane(w, [&](uint32_t lane) {
    copies.of(w.block).bulk(w, lane, place(w, i[0], lane), w.address(i[1], lane), w.words(i[2])[lane],
                            place(w, i[3], lane));
  });
}

bool in_block(std::string_view m) { return m == "shared" || m == "shared::cta"; }

Handler resolve(Instruction& i) {
  using Spelling = std::vector<std::string_view>;
  const Spelling& m = i.modifiers;
  if (m == Spelling{"async", "commit_group"}) return commit;
  if (m == Spelling{"async", "wait_group"} && i[0].kind == Operand::kConstant) return wait;
  if (m.size() >= 5 && m[1] == "mbarrier" && m[2] == "arrive") {
    const bool counted = m[3] != "noinc";
    if (m.size() != (counted ? 5u : 6u) || !in_block(m[m.size() - 2]) || m.back() != "b64") return nullptr;
    return counted ? arrive<true> : arrive<false>;
  }
  const bool hinted = m.size() == 5 && m[4].substr(0, 4) == "L2::";
  if ((m.size() == 4 || hinted) && m[1] == "cg" && in_block(m[2]) && m[3] == "global" && i.count >= 3 && i.count <= 4 &&
      i[2].kind == Operand::kConstant && i[2].value == 16)
    return cp_async;
  return nullptr;
}

// The cluster is the block itself: none of our kernels is launched with one.
Handler resolve_bulk(Instruction& i) {
  const std::vector<std::string_view> rest{"global", "mbarrier::complete_tx::bytes"};
  const auto& m = i.modifiers;
  if (m.size() != 5 || !(m[2] == "shared::cluster" || m[2] == "shared::cta") || m[3] != rest[0] || m[4] != rest[1] ||
      i.count != 4)
    return nullptr;
  return bulk;
}

const Family family("cp.async", resolve);
const Family bulk_family("cp.async.bulk", resolve_bulk);

}  // namespace
}  // namespace ptx
