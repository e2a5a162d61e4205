#include "control.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <string>

#include "launches.h"

namespace emulator {

namespace {

struct Control {
  int order = 0;
  unsigned seed = 0;
  long launches = -1;  // before one fails
  size_t memory = size_t{8} << 30;
  int late = 0, capability = 80, graph = 0;
};

// VOXELSPARK_EMULATOR_CAPABILITY is for processes that nobody steers.
int default_capability() {
  const char* wish = std::getenv("VOXELSPARK_EMULATOR_CAPABILITY");
  return wish ? std::atoi(wish) : 80;
}

Control read_control() {
  Control c;
  c.capability = default_capability();
  const char* prefix = std::getenv("VOXELSPARK_EMULATOR_CONTROL");
  std::FILE* file = prefix ? std::fopen((prefix + std::to_string(getpid())).c_str(), "r") : nullptr;
  if (!file) return c;
  const int read = std::fscanf(file, "%d %u %ld %zu %d %d %d", &c.order, &c.seed, &c.launches, &c.memory, &c.late,
                               &c.capability, &c.graph);
  if (read != 7) std::abort();
  std::fclose(file);
  return c;
}

}  // namespace

void Order::arrange(std::vector<size_t>& turns) {
  std::iota(turns.begin(), turns.end(), size_t{0});
  const size_t n = turns.size();
  for (size_t i = 0; kind_ == descending && i < n / 2; i++) std::swap(turns[i], turns[n - 1 - i]);
  for (size_t i = n; kind_ == drawn && i > 1; i--) std::swap(turns[i - 1], turns[draw() % i]);
}

uint32_t Order::draw() {
  state_ = state_ * 1664525u + 1013904223u;
  return state_ >> 8;
}

bool Order::lose_turn() { return kind_ == drawn && draw() % 16 == 0; }

Order current_order() {
  const Control c = read_control();
  return Order(static_cast<Order::Kind>(c.order), c.seed);
}

bool fail_this_launch() {
  static long since = 0;
  const long after = read_control().launches;
  if (after < 0) since = 0;
  return after >= 0 && since++ >= after;
}

size_t memory_limit() { return lists_launches() ? size_t{80} << 30 : read_control().memory; }

Late current_late() {
  const int late = read_control().late;
  return {(late & 1) != 0, (late & 2) != 0, (late & 4) != 0, (late & 8) != 0};
}

GraphFailure graph_failure() { return static_cast<GraphFailure>(read_control().graph); }

int compute_capability() { return read_control().capability; }

size_t shared_limit() {
  const int c = compute_capability();
  return (c >= 90 ? 227 : c == 80 ? 163 : 99) * size_t{1024};
}

}  // namespace emulator
