// Who touched which word of a block's shared memory last, and whether the next one may know of it: missing barriers,
// missing proxy fences and memory that is used while an asynchronous instruction is on its way are errors in every
// schedule, not only in the one that shows them. PTX ISA 9.0, 8 "Memory Consistency Model" (causality order, proxies)
// by vector clocks: every warp, every mbarrier for the copies that complete through it and every warpgroup for its
// products counts its steps, and warps know how far they have seen the others.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ptx {

constexpr uint32_t kMaxWarps = 32, kMaxObjects = 64, kMaxGroups = 8, kAgents = kMaxWarps + kMaxObjects + kMaxGroups;

using Clock = std::array<uint32_t, kAgents>;

// What happened before a point of a warp, by agent. `fenced`: with a fence.proxy.async on the way from there to here
// (8.9.5: proxy-preserved base causality order wants one anywhere on the path). `begun`: with a fence of mbarrier.init.
struct Knowledge {
  Clock seen{}, fenced{}, begun{};
  void join(const Knowledge& other);
};

class Traffic {
 public:
  Traffic(uint32_t warps, uint32_t bytes);
  void reset();

  // The generic proxy: ld, st, ldmatrix. Offsets from the start of shared memory; threads of the block.
  void read(uint32_t offset, uint32_t bytes, uint32_t thread);
  void write(uint32_t offset, uint32_t bytes, uint32_t thread);
  // bar.warp.sync: only then may a lane touch what another lane of its warp did.
  void meet(uint32_t warp) { ++warps_[warp].seen[warp]; }

  // bar.sync: a warp arrives in a generation of a barrier, and goes on when that one is complete.
  void arrive(uint32_t barrier, uint64_t generation, uint32_t warp);
  void leave(uint32_t barrier, uint64_t generation, uint32_t warp);

  // Release and acquire through something else: an mbarrier.
  void release(Knowledge& to, uint32_t warp);
  void acquire(const Knowledge& from, uint32_t warp) { warps_[warp].join(from); }
  const Knowledge& known(uint32_t warp) const { return warps_[warp]; }
  uint32_t now(uint32_t warp) const { return warps_[warp].seen[warp]; }
  void fence_proxy(uint32_t warp);
  void fence_init(uint32_t warp);

  // cp.async writes in the generic proxy, cp.async.bulk in the asynchronous one. From start to landing nobody may touch
  // the words. A copy lands at a wait of its own warp or through an mbarrier, whose agent number it is then known by.
  enum class Proxy : uint8_t { generic, asynchronous };
  void start_copy(uint32_t offset, uint32_t bytes, uint32_t thread, Proxy proxy);
  void land_here(uint32_t offset, uint32_t bytes, uint32_t thread);
  void land(uint32_t offset, uint32_t bytes, uint32_t object, Knowledge& through, Proxy proxy);
  // What has landed through an mbarrier so far is known to another, or to a warp, that waits for the same copies.
  void share_landings(uint32_t object, Knowledge& with) const;
  void share_landings(uint32_t object, uint32_t warp) { share_landings(object, warps_[warp]); }

  // wgmma reads 16 bytes at a time in the asynchronous proxy for each of its four warps; nobody may write them until it
  // is known to be over. It is one operation of the warpgroup: whichever warp has waited for it knows that.
  void start_product(uint32_t offset, uint32_t warp);
  void end_product(uint32_t offset, uint16_t warps, uint32_t group, uint32_t step);
  void observe_products(uint32_t group, uint32_t step, uint32_t warp);

  // An mbarrier lives here: nothing but its own instructions may touch it.
  void reserve(uint32_t offset, uint32_t bytes, bool on);

 private:
  struct Word {
    uint32_t written = 0, was_read = 0;        // steps of their agents; 0: never
    uint8_t writer = 0, reader = 0;            // warps, or other agents
    uint8_t writer_lane = 0, reader_lane = 0;  // of warps
    Proxy proxy = Proxy::generic;              // of the writer
    bool copying = false, object = false;
    uint16_t products = 0;
  };
  struct Gathering {
    uint64_t generation = ~uint64_t{0};
    Knowledge knowledge;
  };
  void check_write(const Word& word, size_t index, uint32_t thread, Proxy proxy) const;
  void check_lane(bool same_step, uint32_t other, size_t index, uint32_t thread, const char* what) const;
  void mark_written(Word& word, uint32_t thread);
  void check_known(uint32_t agent, uint32_t step, size_t index, uint32_t warp, const char* what) const;

  std::vector<Word> words_;
  std::vector<Knowledge> warps_;
  std::array<uint32_t, kMaxObjects> landings_{};
  std::array<std::array<Gathering, 2>, 16> barriers_;  // a generation may begin while the last of the one before leave
};

}  // namespace ptx
