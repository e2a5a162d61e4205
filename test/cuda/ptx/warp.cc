#include "block.h"
#include "counters.h"

namespace ptx {

namespace {

constexpr uint32_t kNever = ~0u;

}  // namespace

void Warp::expect_all(const Instruction&) const {
  if (lanes == alive) return;
  fail("lanes " + hex(alive & ~lanes) + " of the warp do not execute an instruction that all must execute");
}

void begin_warp(Warp& w, uint32_t lanes) {
  w.alive = lanes;
  w.stack.clear();
  w.stack.push_back({0, kNever, lanes});
  w.arrived = false;
}

// Lanes of the running branch end; others on the stack may go on.
static void end_lanes(Warp& w, uint32_t lanes) {
  w.alive &= ~lanes;
  for (Warp::Branch& b : w.stack) b.lanes &= ~lanes;
  while (!w.stack.empty() && w.stack.back().lanes == 0) w.stack.pop_back();
}

// Some lanes go to the branch's target and some to the next instruction; the rest of the running branch is done by all
// of them, where they meet.
static void part(Warp& w, const Instruction& i, uint32_t taken, uint32_t next) {
  if (i.uniform) fail("lanes part at bra.uni");
  Warp::Branch& top = w.stack.back();
  const uint32_t others = top.lanes & ~taken;
  top.pc = i.reconverge;
  if (top.pc == top.until) w.stack.pop_back();
  if (next != i.reconverge) w.stack.push_back({next, i.reconverge, others});
  if (i.target != i.reconverge) w.stack.push_back({i.target, i.reconverge, taken});
}

static uint32_t guarded(const Warp& w, const Instruction& i, uint32_t lanes) {
  if (i.guard == Instruction::kUnguarded) return lanes;
  const uint32_t p = *reinterpret_cast<const uint32_t*>(w.registers + i.guard);
  return lanes & (i.unless ? ~p : p);
}

namespace {

class Runner {
 public:
  Runner(Warp& w, const std::vector<Instruction>& code, emulator::Order& order) : w_(w), code_(code), order_(order) {}

  Turn run() {
    while (!w_.stack.empty()) {
      const Stop stop = run_branch(w_.stack.back());
      if (stop == Stop::met) w_.stack.pop_back();
      if (stop == Stop::blocked) return steps_ > 1 ? Turn::went_on : Turn::blocked;
      if (stop == Stop::turn) return Turn::went_on;
    }
    return Turn::ended;
  }

 private:
  // Why the running branch stopped: its lanes are where others wait for them, or part, or end; ...
  enum class Stop { met, parted, blocked, turn };

  Stop run_branch(Warp::Branch& top) {
    uint32_t& pc = top.pc;
    const uint32_t lanes = top.lanes, until = top.until;
    while (pc != until) {
      const Instruction& i = code_[pc];
      w_.now = &i;
      w_.lanes = guarded(w_, i, lanes);
      steps_++;
      if (counting && i.flow != Instruction::straight) counting->instructions[i.kind]++;
      if (i.flow == Instruction::straight) {
        if (w_.lanes) {
          if (i.products) products_touched(w_, i);
          if (i.run(w_, i) == Outcome::blocked) return Stop::blocked;
          if (counting) counting->instructions[i.kind]++;
        }
        pc++;
      } else if (i.flow == Instruction::end) {
        pc++;
        end_lanes(w_, w_.lanes);
        return Stop::parted;
      } else if (w_.lanes != 0 && w_.lanes != lanes) {
        part(w_, i, w_.lanes, pc + 1);
        return Stop::parted;
      } else {
        pc = w_.lanes ? i.target : pc + 1;
      }
      if (steps_ % kDraw == 0 && (steps_ > kTurn || order_.lose_turn())) return Stop::turn;
    }
    return Stop::met;
  }

  static constexpr uint32_t kTurn = 1 << 16, kDraw = 8;
  Warp& w_;
  const std::vector<Instruction>& code_;
  emulator::Order& order_;
  uint32_t steps_ = 0;
};

}  // namespace

Turn run_turn(Warp& w, const std::vector<Instruction>& code, emulator::Order& order) {
  return Runner(w, code, order).run();
}

}  // namespace ptx
