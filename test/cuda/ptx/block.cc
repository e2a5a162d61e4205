// Runs the warps of a block in turns, and the blocks of a grid one after the other.
#include "block.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace ptx {

namespace {

std::vector<MakePart>& makers() {
  static auto* all = new std::vector<MakePart>;
  return *all;
}

uint32_t special(const Special& s, const Launch& launch, const Index& block, uint32_t thread) {
  switch (s.what) {
    case Special::tid_x: return thread % launch.size.x;
    case Special::tid_y: return thread / launch.size.x % launch.size.y;
    case Special::tid_z: return thread / launch.size.x / launch.size.y;
    case Special::ntid_x: return launch.size.x;
    case Special::ntid_y: return launch.size.y;
    case Special::ntid_z: return launch.size.z;
    case Special::ctaid_x: return block.x;
    case Special::ctaid_y: return block.y;
    case Special::ctaid_z: return block.z;
    case Special::nctaid_x: return launch.grid.x;
    case Special::nctaid_y: return launch.grid.y;
    case Special::nctaid_z: return launch.grid.z;
    case Special::laneid: return thread % kLanes;
    case Special::warpid: return thread / kLanes;
    case Special::nothing: break;
  }
  return 0;
}

void fill_constants(Warp& w, const Kernel& kernel) {
  for (const Constant& c : kernel.constants)
    for (uint32_t l = 0; l < kLanes; l++) {
      reinterpret_cast<uint32_t*>(w.registers + c.at)[l] = static_cast<uint32_t>(c.value);
      reinterpret_cast<int64_t*>(w.registers + c.wide_at)[l] = c.value;
    }
}

void fill_specials(Warp& w, const Kernel& kernel, const Block& block) {
  for (const Special& s : kernel.specials)
    for (uint32_t l = 0; l < kLanes; l++)
      reinterpret_cast<uint32_t*>(w.registers + s.at)[l] = special(s, block.launch, block.index, w.thread(l));
}

// What no warp can pass, for the message.
std::string places(const Block& block) {
  std::string all;
  for (const Warp& w : block.warps) {
    if (w.stack.empty()) continue;
    all += "; warp " + std::to_string(w.number) + " at line " + std::to_string(w.now->source.line) + " `" +
           std::string(w.now->source.text) + "`";
    if (w.stack.size() > 1) all += " (parted)";
  }
  return all;
}

}  // namespace

size_t add_part(MakePart make) {
  makers().push_back(make);
  return makers().size() - 1;
}

Block::Block(Launch& launch)
    : launch(launch),
      traffic(static_cast<uint32_t>((launch.size.count() + kLanes - 1) / kLanes),
              launch.kernel.dynamic_start - kSharedStart + launch.dynamic_bytes) {
  const Kernel& kernel = launch.kernel;
  const auto threads = static_cast<uint32_t>(launch.size.count());
  const uint32_t count = (threads + kLanes - 1) / kLanes;
  constexpr size_t kAlignment = 256;
  const size_t bytes = (kernel.register_bytes + kAlignment - 1) / kAlignment * kAlignment;
  registers_.assign(count * bytes + kAlignment, 0xFF);
  auto* start = reinterpret_cast<uint8_t*>((reinterpret_cast<uintptr_t>(registers_.data()) + kAlignment - 1) /
                                           kAlignment * kAlignment);
  warps.reserve(count);
  for (uint32_t n = 0; n < count; n++) {
    Warp& w = warps.emplace_back(*this);
    w.number = n;
    w.registers = start + n * bytes;
    fill_constants(w, kernel);
  }
  const size_t shared_bytes = kernel.dynamic_start - kSharedStart + launch.dynamic_bytes;
  shared.resize(shared_bytes);
  written.resize(shared_bytes);
}

void Block::begin(Index at) {
  index = at;
  const auto threads = static_cast<uint32_t>(launch.size.count());
  for (Warp& w : warps) {
    const uint32_t left = threads - w.number * kLanes;
    begin_warp(w, left >= kLanes ? kAll : (1u << left) - 1);
    fill_specials(w, launch.kernel, *this);
  }
  std::fill(shared.begin(), shared.end(), uint8_t{0xFF});
  std::fill(written.begin(), written.end(), uint8_t{0});
  traffic.reset();
  std::fill(std::begin(barriers), std::end(barriers), Barrier{});
  parts.clear();
  for (const MakePart make : makers()) parts.push_back(make(*this));
}

bool Block::advance() {
  for (auto& part : parts)
    if (part->advance()) return true;
  return false;
}

// Whether any warp got further, of those that are starved or of the others.
bool Block::run_round(const std::vector<size_t>& turns, bool starved) {
  bool further = false;
  for (const size_t n : turns) {
    Warp& w = warps[n];
    if (w.stack.empty() || launch.order.starves(n * kLanes) != starved) continue;
    running = &w;
    const Turn turn = run_turn(w, launch.kernel.code, launch.order);
    further |= turn != Turn::blocked;
    if (turn == Turn::ended)
      for (auto& part : parts) part->warp_ended(w);
  }
  return further;
}

void Block::run() {
  std::vector<size_t> turns(warps.size());
  const auto over = [&] { return std::all_of(warps.begin(), warps.end(), [](auto& w) { return w.stack.empty(); }); };
  while (!over()) {
    launch.order.arrange(turns);
    if (run_round(turns, false) || advance() || run_round(turns, true)) continue;
    running = nullptr;
    if (!over()) fail("the warps of a block wait for what never happens" + places(*this));
  }
  running = nullptr;
  for (auto& part : parts) part->block_ended();
}

void Block::check_written(uint32_t address, uint32_t bytes) const {
  for (uint32_t k = 0; k < bytes; k++)
    if (!written[address - kSharedStart + k])
      fail("shared memory is read at " + hex(address + k) + ", where nothing was written");
}

uint8_t* Block::copy_to_shared(uint32_t address, uint32_t bytes, uint32_t alignment) {
  check_shared(address, bytes, alignment, "written");
  std::memset(written.data() + (address - kSharedStart), 0xFF, bytes);
  return shared.data() + (address - kSharedStart);
}

void Block::bad_shared(uint32_t address, uint32_t bytes, uint32_t alignment, const char* what) const {
  const std::string where = std::to_string(bytes) + " bytes of shared memory are " + what + " at " + hex(address);
  if (address % alignment) fail(where + ", which is not a multiple of " + std::to_string(alignment));
  fail(where + ", but the block has " + hex(kSharedStart) + " up to " + hex(kSharedStart + shared.size()));
}

void run(Launch& launch) {
  Block block(launch);
  std::vector<size_t> order(launch.grid.count());
  launch.order.arrange(order);
  for (const size_t b : order) {
    const uint64_t x = launch.grid.x, xy = x * launch.grid.y;
    try {
      block.begin({static_cast<uint32_t>(b % x), static_cast<uint32_t>(b % xy / x), static_cast<uint32_t>(b / xy)});
      block.run();
    } catch (const std::runtime_error& error) {
      std::string place = " [" + launch.kernel.title() + ", block " + std::to_string(b);
      if (const Warp* w = block.running)
        place += ", warp " + std::to_string(w->number) + ", line " + std::to_string(w->now->source.line) + " `" +
                 std::string(w->now->source.text.substr(0, 200)) + "`";
      throw std::runtime_error(error.what() + place + "]");
    }
  }
}

}  // namespace ptx
