// Barrier objects in shared memory: PTX ISA 9.0, 9.7.13.15 "mbarrier". A phase is over when no arrivals and no bytes of
// transactions are outstanding; the next begins at once.
#pragma once
#include <map>

#include "machine.h"

namespace ptx {

struct Mbarrier {
  uint32_t address = 0;
  uint32_t number = 0;  // its agent in Traffic
  int64_t expected = 0, pending = 0;
  int64_t bytes = 0;  // tx-count: expected and not complete; below 0 where completion was first
  uint64_t phase = 0;
  uint32_t maker = 0, made = 0;  // warp of mbarrier.init, and its step
  // What arrivals release: of all so far, and of the phases that are over.
  Knowledge arrived, over;
};

class Mbarriers : public Part {
 public:
  explicit Mbarriers(Block& block) : block_(block) {}
  void make(Warp& w, uint32_t address, uint32_t count);
  // Fails where none is, or where the warp cannot know that there is one.
  Mbarrier& at(Warp& w, uint32_t address);
  // For the asynchronous proxy: mbarrier.init has to have been fenced as well.
  Mbarrier& for_copy(Warp& w, uint32_t address);
  void arrive(Mbarrier& b, uint32_t count);
  void promise(Mbarrier& b);  // one arrival more in this phase: cp.async.mbarrier.arrive without .noinc
  void expect(Mbarrier& b, uint32_t bytes);
  void complete(Mbarrier& b, uint32_t bytes);
  void block_ended() override;

 private:
  void settle(Mbarrier& b);
  Block& block_;
  std::map<uint32_t, Mbarrier> barriers_;
};

extern const PartOf<Mbarriers> mbarriers;

}  // namespace ptx
