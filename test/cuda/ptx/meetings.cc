// Where lanes and warps meet: bar.sync (PTX ISA 9.7.13.1), bar.warp.sync and shfl.sync (9.7.9.6).
#include "handlers.h"

namespace ptx {

namespace {

// A warp counts with all of its 32 threads.
Outcome bar_sync(Warp& w, const Instruction& i) {
  w.expect_all(i);
  const uint32_t first = static_cast<uint32_t>(__builtin_ctz(w.lanes)), id = w.words(i[0])[first];
  const auto all = static_cast<uint32_t>(w.block.warps.size()) * kLanes;
  const uint32_t expected = i.count == 2 ? w.words(i[1])[first] : all;
  if (id >= 16) fail("barrier " + std::to_string(id) + ", but there are 16");
  if (expected % kLanes || expected == 0 || expected > all)
    fail("a barrier of " + std::to_string(expected) + " threads in a block of " + std::to_string(all));
  Block::Barrier& b = w.block.barriers[id];
  if (w.arrived) {
    if (b.generation == w.generation) return Outcome::blocked;
    w.arrived = false;
    w.block.traffic.leave(id, w.generation, w.number);
    return Outcome::done;
  }
  if (b.arrived && b.expected != expected)
    fail("a barrier of " + std::to_string(expected) + " threads, at which others wait for " +
         std::to_string(b.expected));
  b.expected = expected;
  b.arrived += kLanes;
  w.block.traffic.arrive(id, b.generation, w.number);
  if (b.arrived == expected) {
    b.arrived = 0;
    w.block.traffic.leave(id, b.generation++, w.number);
    return Outcome::done;
  }
  w.arrived = true;
  w.generation = b.generation;
  return Outcome::blocked;
}
Handler bar(Instruction& i) {
  if (i.has("sync") && i.modifiers.size() == 1 && (widths(i, 32) || widths(i, 32, 32))) return bar_sync;
  return nullptr;
}

void expect_members(const Warp& w, uint32_t members) {
  if (w.lanes & ~members) fail("lanes " + hex(w.lanes & ~members) + " execute it and are not among its lanes");
  if (members & w.alive & ~w.lanes)
    fail("lanes " + hex(members & w.alive & ~w.lanes) + " of the warp do not execute it");
}
Outcome warp_sync(Warp& w, const Instruction& i) {
  expect_members(w, w.words(i[0])[__builtin_ctz(w.lanes)]);
  w.block.traffic.meet(w.number);
  return Outcome::done;
}
Handler bar_warp(Instruction& i) {
  return i.has("warp") && i.has("sync") && i.modifiers.size() == 2 && widths(i, 32) ? warp_sync : nullptr;
}

enum class Mode { up, down, bfly, idx };

// The lane that a lane gets its value from, and whether it lies within the segment.
template <Mode mode>
uint32_t source_lane(uint32_t lane, uint32_t b, uint32_t c, bool& inside) {
  const uint32_t by = b & 31, clamp = c & 31, segment = c >> 8 & 31;
  const uint32_t most = (lane & segment) | (clamp & ~segment), least = lane & segment;
  uint32_t from = lane;
  if (mode == Mode::up) inside = lane >= by + most, from = lane - by;
  if (mode == Mode::down) from = lane + by, inside = from <= most;
  if (mode == Mode::bfly) from = lane ^ by, inside = from <= most;
  if (mode == Mode::idx) from = least | (by & ~segment), inside = from <= most;
  return inside ? from : lane;
}

// d|p, a, b, c, members
template <Mode mode>
Outcome shuffle(Warp& w, const Instruction& i) {
  const uint32_t *a = w.words(i[1]), *b = w.words(i[2]), *c = w.words(i[3]), *members = w.words(i[4]);
  uint32_t result[kLanes] = {}, within = 0;
  for_lanes(w, [&](uint32_t l) { expect_members(w, members[l]); });
  for (uint32_t l = 0; l < kLanes; l++) {
    if (!w.has(l)) continue;
    bool inside = false;
    const uint32_t from = source_lane<mode>(l, b[l], c[l], inside);
    if (!w.has(from))
      fail("lane " + std::to_string(l) + " gets a value of lane " + std::to_string(from) +
           ", which does not execute it");
    result[l] = a[from];
    within |= static_cast<uint32_t>(inside) << l;
  }
  const bool pair = i[0].kind == Operand::kList;
  uint32_t* d = w.words(pair ? i.item(i[0], 0) : i[0]);
  for_lanes(w, [&](uint32_t l) { d[l] = result[l]; });
  if (pair) {
    uint32_t& p = w.predicate(i.item(i[0], 1));
    p = (p & ~w.lanes) | within;
  }
  return Outcome::done;
}
Handler shfl(Instruction& i) {
  if (i.modifiers.size() != 3 || i.modifiers[0] != "sync" || i.modifiers[2] != "b32" || i.count != 5) return nullptr;
  for (size_t k = 1; k < 5; k++)
    if (!fits(i[k], 32)) return nullptr;
  if (i[0].kind == Operand::kList && (i[0].count != 2 || i.item(i[0], 1).bits != 1)) return nullptr;
  const auto mode = i.modifiers[1];
  return mode == "up"     ? shuffle<Mode::up>
         : mode == "down" ? shuffle<Mode::down>
         : mode == "bfly" ? shuffle<Mode::bfly>
         : mode == "idx"  ? shuffle<Mode::idx>
                          : nullptr;
}

const Family families[] = {{"bar", bar}, {"bar.warp", bar_warp}, {"shfl", shfl}};

}  // namespace

}  // namespace ptx
