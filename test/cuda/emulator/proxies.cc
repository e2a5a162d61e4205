// What products of warpgroups may read of shared memory. They and bulk copies go by another way than stores and
// cp.async (the async proxy), which only a fence of the writing thread, behind what it wrote, makes see the same.
#include <vector>

#include "control.h"
#include "group.h"
#include "tensor.h"

namespace emulator {

namespace {

constexpr uint32_t kUnit = 16;  // bytes

struct Written {
  int thread;  // negative: nobody, or a bulk copy
  uint32_t fences;
};

std::vector<Written> written;  // by unit, who wrote last and after how many of its fences
std::vector<uint32_t> fences;  // of every thread

Written& unit_at(uint32_t address) { return written[(address - kDynamicShared) / kUnit]; }

bool waits_for_fence(const Written& w) { return w.thread >= 0 && fences[static_cast<size_t>(w.thread)] == w.fences; }

}  // namespace

void reset_proxies(size_t bytes) {
  written.assign((bytes + kUnit - 1) / kUnit, {-1, 0});
  fences.assign(thread_count(), 0);
}

void wrote(size_t thread, uint32_t address) { unit_at(address) = {static_cast<int>(thread), fences[thread]}; }

void copied_in_bulk(uint32_t address) {
  if (waits_for_fence(unit_at(address))) fail("a bulk copy over what was stored and not fenced", address);
  unit_at(address) = {-1, 0};
}

void fence_async() { fences[thread_number()]++; }

void read_by_products(uint32_t address) {
  if (waits_for_fence(unit_at(address))) fail("a product reads what was stored and not fenced", address);
}

}  // namespace emulator
