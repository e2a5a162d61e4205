// setmaxnreg, PTX ISA 9.0, 9.7.19.6: a warp gives registers of its threads to the pool of its block, or takes some and
// waits until the pool has as many. What the threads have at the start is what the compiler may use for a block of the
// size that .maxntid says, or .maxnreg: the registers of a multiprocessor dealt out among its threads, in eights.
#include <algorithm>

#include "kernel.h"
#include "machine.h"

namespace ptx {
namespace {

constexpr uint32_t kOfProcessor = 65536, kStep = 8, kMost = 255, kWarps = 4;

class Registers : public Part {
 public:
  explicit Registers(Block& block) : block_(block), warps_(block.warps.size()) {
    const Kernel& kernel = block.launch.kernel;
    const uint32_t threads = kernel.most_threads * std::max(kernel.least_blocks, 1u);
    const uint32_t fair = std::min(kOfProcessor / threads, kMost) / kStep * kStep;
    for (State& s : warps_) s.owned = kernel.most_registers ? kernel.most_registers : fair;
  }

  Outcome change(Warp& w, uint32_t count, bool increase) {
    State& s = warps_[w.number];
    if (increase ? count < s.owned : count > s.owned)
      fail("setmaxnreg to " + std::to_string(count) + " registers in the wrong direction: the warp has " +
           std::to_string(s.owned));
    if (s.changes) expect_met(w);
    const int64_t more = (int64_t{count} - s.owned) * kLanes;
    if (more > pool_) return Outcome::blocked;
    pool_ -= more;
    s.owned = count;
    s.step = block_.traffic.now(w.number);
    ++s.changes;
    return Outcome::done;
  }

  // "The same setmaxnreg must be executed by all warps of a warpgroup."
  void block_ended() override {
    for (size_t n = 0; n < warps_.size(); ++n)
      if (warps_[n].changes != warps_[n / kWarps * kWarps].changes ||
          warps_[n].owned != warps_[n / kWarps * kWarps].owned)
        fail("the warps of a warpgroup do not execute the same setmaxnreg");
  }

 private:
  struct State {
    uint32_t owned = 0, changes = 0, step = 0;
  };
  // "After executing setmaxnreg, all warps of the warpgroup must synchronize explicitly before" the next.
  void expect_met(const Warp& w) {
    const uint32_t first = w.number / kWarps * kWarps;
    for (uint32_t n = first; n < std::min<size_t>(first + kWarps, warps_.size()); ++n)
      if (n != w.number && (!warps_[n].changes || block_.traffic.known(w.number).seen[n] <= warps_[n].step))
        fail("setmaxnreg again with no barrier between the warps of the warpgroup");
  }

  Block& block_;
  std::vector<State> warps_;
  int64_t pool_ = 0;
};

const PartOf<Registers> registers;

template <bool increase>
Outcome change(Warp& w, const Instruction& i) {
  w.expect_all(i);
  return registers.of(w.block).change(w, static_cast<uint32_t>(i[0].value), increase);
}

Handler resolve(Instruction& i) {
  const auto& m = i.modifiers;
  if (m.size() != 4 || m[1] != "sync" || m[2] != "aligned" || m[3] != "u32" || i.count != 1) return nullptr;
  if (i[0].kind != Operand::kConstant || i[0].value < 24 || i[0].value > 256 || i[0].value % 8)
    fail("setmaxnreg takes multiples of 8 from 24 to 256");
  return m[0] == "inc" ? change<true> : m[0] == "dec" ? change<false> : nullptr;
}

const Family family("setmaxnreg", resolve);

}  // namespace
}  // namespace ptx
