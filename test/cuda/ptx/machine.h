// Executes PTX: launches, their blocks and warps. What a family of instructions needs to execute itself is here and in
// instruction.h; see README.md for the whole.
#pragma once
#include <cstring>
#include <memory>
#include <string>
#include <typeinfo>
#include <vector>

#include "../emulator/control.h"
#include "instruction.h"
#include "traffic.h"

namespace ptx {

class Block;
struct Kernel;

struct Index {
  uint32_t x = 1, y = 1, z = 1;
  uint64_t count() const { return uint64_t{x} * y * z; }
};

// Lanes of a warp run in lock step; where they part, those that wait for the others are on a stack until they meet
// again at the immediate post-dominator.
class Warp {
 public:
  Block& block;
  uint32_t number = 0;  // within the block
  uint32_t lanes = 0;   // that execute this instruction: bit l is lane l
  uint32_t alive = 0;   // that exist and have not ended

  // A register, a constant or the base of an address, one value a lane. Values of 16 bits and less lie in words with
  // zeros above them.
  uint32_t* words(const Operand& o) { return reinterpret_cast<uint32_t*>(registers + o.at); }
  float* floats(const Operand& o) { return reinterpret_cast<float*>(registers + o.at); }
  uint64_t* longs(const Operand& o) { return reinterpret_cast<uint64_t*>(registers + o.wide_at); }
  uint32_t& predicate(const Operand& o) { return *reinterpret_cast<uint32_t*>(registers + o.at); }  // a bit a lane
  // [base + constant] of a lane, of 32 or 64 bits.
  uint64_t address(const Operand& o, uint32_t lane) {
    const uint64_t base = o.bits == 32 ? words(o)[lane] : longs(o)[lane];
    return o.bits == 32 ? static_cast<uint32_t>(base + o.value) : base + o.value;
  }
  bool has(uint32_t lane) const { return lanes >> lane & 1; }
  uint32_t thread(uint32_t lane) const { return number * kLanes + lane; }
  // For `.aligned` instructions: fails unless all lanes that have not ended execute this one.
  void expect_all(const Instruction& i) const;

  uint8_t* registers = nullptr;
  // Of the machine.
  struct Branch {
    uint32_t pc, until, lanes;
  };
  std::vector<Branch> stack;
  const Instruction* now = nullptr;
  bool arrived = false;  // at a barrier that it waits for, in its generation
  uint64_t generation = 0;
  explicit Warp(Block& block) : block(block) {}
};

// Called before an instruction that names a register which a wgmma of its kernel has as accumulator or fragment.
void products_touched(Warp& w, const Instruction& i);

// What a family of instructions keeps for every block: derive from it, and `static const PartOf<Mine> mine;` makes
// `mine.of(block)` in every block. New for each block.
class Part {
 public:
  virtual ~Part() = default;
  // No warp can go on: finish late work, one piece of it; false if there is none.
  virtual bool advance() { return false; }
  // All lanes of a warp, or all warps, have ended: unfinished work is an error.
  virtual void warp_ended(Warp&) {}
  virtual void block_ended() {}
};
using MakePart = std::unique_ptr<Part> (*)(Block&);
size_t add_part(MakePart make);

struct Launch {
  const Kernel& kernel;
  Index grid, size;                 // blocks of the grid, threads of a block
  uint32_t dynamic_bytes;           // of shared memory
  std::vector<uint8_t> parameters;  // as the kernel sees them
  emulator::Order order;
  emulator::Late late;  // which asynchronous instructions take effect as late as is allowed
};

// Shared memory starts at this address of its window: the first kilobyte is the driver's.
constexpr uint32_t kSharedStart = 1024;

class Block {
 public:
  Launch& launch;
  Index index;
  std::vector<Warp> warps;

  // Shared memory by its 32-bit address. Fails where it is outside, not a multiple of `alignment`, or, for reads, was
  // not written in this block.
  const uint8_t* read_shared(uint32_t address, uint32_t bytes, uint32_t alignment, uint32_t thread) {
    check_shared(address, bytes, alignment, "read");
    check_written(address, bytes);
    traffic.read(address - kSharedStart, bytes, thread);
    return shared.data() + (address - kSharedStart);
  }
  uint8_t* write_shared(uint32_t address, uint32_t bytes, uint32_t alignment, uint32_t thread) {
    check_shared(address, bytes, alignment, "written");
    traffic.write(address - kSharedStart, bytes, thread);
    std::memset(written.data() + (address - kSharedStart), 0xFF, bytes);
    return shared.data() + (address - kSharedStart);
  }
  // Without a word to Traffic, for copies: it is told of those when they start and when they land.
  uint8_t* copy_to_shared(uint32_t address, uint32_t bytes, uint32_t alignment);

  Traffic traffic;

  template <class P>
  P& part(size_t number) {
    return static_cast<P&>(*parts[number]);
  }
  std::vector<std::unique_ptr<Part>> parts;

  struct Barrier {
    uint32_t expected = 0, arrived = 0;  // threads
    uint64_t generation = 0;
  };
  Barrier barriers[16];

  std::vector<uint8_t> shared, written;  // written: 0xFF where a byte was
  const Warp* running = nullptr;
  explicit Block(Launch& launch);
  void begin(Index index);
  void run();

 private:
  void check_shared(uint32_t address, uint32_t bytes, uint32_t alignment, const char* what) const {
    if (address % alignment || address < kSharedStart || address - kSharedStart + uint64_t{bytes} > shared.size())
      bad_shared(address, bytes, alignment, what);
  }
  void check_written(uint32_t address, uint32_t bytes) const;
  [[noreturn]] void bad_shared(uint32_t address, uint32_t bytes, uint32_t alignment, const char* what) const;
  bool run_round(const std::vector<size_t>& turns, bool starved);
  bool advance();
  std::vector<uint8_t> registers_;
};

template <class P>
class PartOf {
 public:
  PartOf() : number_(add_part([](Block& block) -> std::unique_ptr<Part> { return std::make_unique<P>(block); })) {}
  P& of(Block& block) const { return block.part<P>(number_); }

 private:
  size_t number_;
};

// Global memory, checked against live allocations and for alignment.
const uint8_t* read_global(uint64_t address, uint32_t bytes, uint32_t alignment);
uint8_t* write_global(uint64_t address, uint32_t bytes, uint32_t alignment);

}  // namespace ptx
