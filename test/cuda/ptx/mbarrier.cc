#include "mbarrier.h"

#include <algorithm>

namespace ptx {
namespace {

// 9.7.13.15.2 "Contents of the mbarrier object", with the ranges of the counts.
constexpr int64_t kMostArrivals = (1 << 20) - 1, kMostBytes = (1 << 20) - 1;

std::string name(const Mbarrier& b) { return "the mbarrier at shared address " + std::to_string(b.address); }

}  // namespace

const PartOf<Mbarriers> mbarriers;

void Mbarriers::make(Warp& w, uint32_t address, uint32_t count) {
  if (barriers_.count(address)) fail("mbarrier.init where an mbarrier lives already");
  if (count < 1 || count > kMostArrivals)
    fail("mbarrier.init with " + std::to_string(count) + " arrivals; 1 to " + std::to_string(kMostArrivals) +
         " are possible");
  if (barriers_.size() == kMaxObjects) fail("more than " + std::to_string(kMaxObjects) + " mbarriers in a block");
  block_.write_shared(address, 8, 8, w.thread(0));
  block_.traffic.reserve(address - kSharedStart, 8, true);
  Mbarrier& b = barriers_[address];
  b.address = address;
  b.number = static_cast<uint32_t>(barriers_.size() - 1);
  b.expected = b.pending = count;
  b.maker = w.number;
  b.made = block_.traffic.now(w.number);
}

Mbarrier& Mbarriers::at(Warp& w, uint32_t address) {
  const auto found = barriers_.find(address);
  if (found == barriers_.end()) fail("there is no mbarrier at shared address " + std::to_string(address));
  Mbarrier& b = found->second;
  if (b.maker != w.number && block_.traffic.known(w.number).seen[b.maker] < b.made)
    fail(name(b) + " is used by warp " + std::to_string(w.number) +
         " with no barrier between its mbarrier.init and here");
  return b;
}

Mbarrier& Mbarriers::for_copy(Warp& w, uint32_t address) {
  Mbarrier& b = at(w, address);
  if (block_.traffic.known(w.number).begun[b.maker] < b.made)
    fail(name(b) +
         " is given to a bulk copy, but neither fence.mbarrier_init nor fence.proxy.async followed its mbarrier.init");
  return b;
}

void Mbarriers::arrive(Mbarrier& b, uint32_t count) {
  if (!count || b.pending < count)
    fail(name(b) + " gets " + std::to_string(count) + " arrivals where " + std::to_string(b.pending) +
         " are outstanding in this phase");
  b.pending -= count;
  settle(b);
}

void Mbarriers::promise(Mbarrier& b) {
  if (++b.pending > kMostArrivals) fail(name(b) + " waits for more arrivals than are possible");
}

void Mbarriers::expect(Mbarrier& b, uint32_t bytes) {
  b.bytes += bytes;
  if (bytes > kMostBytes || b.bytes > kMostBytes)
    fail(name(b) + " expects " + std::to_string(b.bytes) + " bytes; " + std::to_string(kMostBytes) + " are possible");
  settle(b);
}

void Mbarriers::complete(Mbarrier& b, uint32_t bytes) {
  b.bytes -= bytes;
  if (b.bytes < -kMostBytes) fail(name(b) + " got more bytes than it can count");
  settle(b);
}

void Mbarriers::settle(Mbarrier& b) {
  if (b.pending || b.bytes) return;
  ++b.phase;
  b.pending = b.expected;
  b.over = b.arrived;
}

void Mbarriers::block_ended() {
  for (const auto& [address, b] : barriers_)
    if (b.bytes)
      fail("a block ends while " + name(b) + " has a transaction count of " + std::to_string(b.bytes) + " bytes");
}

namespace {

uint32_t place(Warp& w, const Operand& o, uint32_t lane) { return static_cast<uint32_t>(w.address(o, lane)); }

template <class Body>
Outcome each_lane(Warp& w, Body&& body) {
  for (uint32_t lane = 0; lane < kLanes; ++lane)
    if (w.has(lane)) body(lane);
  return Outcome::done;
}

Outcome init(Warp& w, const Instruction& i) {
  return each_lane(w, [&](uint32_t lane) { mbarriers.of(w.block).make(w, place(w, i[0], lane), w.words(i[1])[lane]); });
}

// mbarrier.arrive{.expect_tx} state, [address]{, count or bytes}: .release and .cta unless it says otherwise.
template <bool expects>
Outcome arrive(Warp& w, const Instruction& i) {
  Mbarriers& all = mbarriers.of(w.block);
  return each_lane(w, [&](uint32_t lane) {
    Mbarrier& b = all.at(w, place(w, i[1], lane));
    const uint32_t number = i.count > 2 ? w.words(i[2])[lane] : 1;
    const uint64_t state = b.phase;
    w.block.traffic.release(b.arrived, w.number);
    if (expects) all.expect(b, number);
    all.arrive(b, expects ? 1 : number);
    w.longs(i[0])[lane] = state;
  });
}

// Whether the phase with this parity is over: the one before the current, if it has that parity. The ISA lets try_wait
// return false after a while; here it waits until it is true for a lane at least. test_wait does so too: how long it
// takes is not said either, and nothing would be seen to stand still in a loop around it.
Outcome wait(Warp& w, const Instruction& i) {
  uint32_t ready = 0;
  each_lane(w, [&](uint32_t lane) {
    const uint32_t parity = w.words(i[2])[lane];
    if (parity > 1) fail("a phase parity of " + std::to_string(parity) + "; it is 0 or 1");
    const Mbarrier& b = mbarriers.of(w.block).at(w, place(w, i[1], lane));
    if ((b.phase & 1) != parity) ready |= 1u << lane;
  });
  if (!ready) return Outcome::blocked;
  each_lane(w, [&](uint32_t lane) {
    if (ready >> lane & 1) w.block.traffic.acquire(mbarriers.of(w.block).at(w, place(w, i[1], lane)).over, w.number);
  });
  uint32_t& predicate = w.predicate(i[0]);
  predicate = (predicate & ~w.lanes) | ready;
  return Outcome::done;
}

bool in_block(std::string_view m) { return m == "shared" || m == "shared::cta"; }

Handler resolve(Instruction& i) {
  const auto& m = i.modifiers;
  const auto is = [&m](std::initializer_list<const char*> start) {
    return m.size() == start.size() + 2 && std::equal(start.begin(), start.end(), m.begin()) &&
           in_block(m[start.size()]) && m.back() == "b64";
  };
  if (is({"init"})) return init;
  if (is({"arrive"})) return arrive<false>;
  if (is({"arrive", "expect_tx"}) && i.count == 3) return arrive<true>;
  if (is({"try_wait", "parity"}) || is({"test_wait", "parity"})) return wait;
  return nullptr;
}

Outcome fence_proxy(Warp& w, const Instruction&) {
  w.block.traffic.fence_proxy(w.number);
  return Outcome::done;
}

Outcome fence_init(Warp& w, const Instruction&) {
  w.block.traffic.fence_init(w.number);
  return Outcome::done;
}

// Shared memory is all that both proxies use here, so fence.proxy.async without a space is the same.
Handler resolve_fence(Instruction& i) {
  const auto& m = i.modifiers;
  if (m.size() >= 2 && m[0] == "proxy" && m[1] == "async" &&
      (m.size() == 2 || (m.size() == 3 && m[2] == "shared::cta")))
    return fence_proxy;
  if (m == std::vector<std::string_view>{"mbarrier_init", "release", "cluster"}) return fence_init;
  return nullptr;
}

const Family mbarrier_family("mbarrier", resolve);
const Family fence_family("fence", resolve_fence);

}  // namespace
}  // namespace ptx
