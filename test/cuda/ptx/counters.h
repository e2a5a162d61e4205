// What launches do, counted, where VOXELSPARK_PTX_COUNTERS names a file: a line for every launch, see counters.cjs.
#pragma once
#include "machine.h"

namespace ptx {

enum class Class : uint8_t { f32, f64, integer, moves, global, shared, tensor, meetings, branches };
constexpr size_t kClasses = 9;

struct Counters {
  uint64_t instructions[kClasses];  // of warps
  // Accesses of warps to shared memory, what they take in passes over its 32 banks, and what they would take without
  // conflicts. To global memory: sectors of 32 bytes, and how many the bytes would fill.
  uint64_t shared_accesses, passes, least_passes;
  uint64_t global_accesses, sectors, least_sectors;
};
extern Counters* counting;  // null: nobody counts

Class class_of(const Instruction& i);

// An access of so many bytes by each of the lanes.
void count_shared(Warp& w, const Operand& address, uint32_t bytes, uint32_t lanes);
void count_global(Warp& w, const Operand& address, uint32_t bytes, uint32_t lanes);

// Counts one launch, from here to the end of the scope.
class CountedLaunch {
 public:
  explicit CountedLaunch(const Launch& launch);
  ~CountedLaunch();
  CountedLaunch(const CountedLaunch&) = delete;
  CountedLaunch& operator=(const CountedLaunch&) = delete;

 private:
  const Launch& launch_;
  Counters counters_ = {};
};

}  // namespace ptx
