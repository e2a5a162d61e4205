// What the parts of the machine know of blocks and warps, beyond what instructions are given.
#pragma once
#include "kernel.h"
#include "machine.h"

namespace ptx {

enum class Turn { went_on, blocked, ended };

void begin_warp(Warp& w, uint32_t lanes);
// Until the warp is blocked, ends, or has had its turn.
Turn run_turn(Warp& w, const std::vector<Instruction>& code, emulator::Order& order);
void make_parts(Block& block);

// Runs all blocks; a failure comes with its place.
void run(Launch& launch);

}  // namespace ptx
