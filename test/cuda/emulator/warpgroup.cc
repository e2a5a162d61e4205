// wgmma with operands in shared memory that is not swizzled, both with the sum innermost: a descriptor names the start,
// the distance of two groups of 8 rows ("stride") and that of two groups of 8 summands ("leading").
#include <cstring>
#include <deque>

#include "group.h"
#include "tensor.h"

namespace emulator {

namespace {

struct Product {
  Format format;
  int columns;
  uint64_t a_descriptor, b_descriptor;
  bool a_in_registers;
  float* sums[kWarpgroup];
  const uint32_t* a[kWarpgroup];
};

struct LaneProduct {
  Format format;
  int columns;
  float* sums;
  const uint32_t* a;
  uint64_t a_descriptor, b_descriptor;
};

bool late = false;
std::vector<Meeting> groups;
std::vector<std::deque<std::vector<Product>>> queues;  // of every warpgroup; the last is not committed yet
std::vector<bool> fenced;                              // of every thread, its registers since they changed

uint32_t field(uint64_t descriptor, int shift) { return static_cast<uint32_t>(descriptor >> shift & 0x3FFF) << 4; }

void read_matrix(Format format, uint64_t descriptor, int rows, float (*values)[16]) {
  if (descriptor >> 46) fail("a matrix descriptor with swizzle or reserved bits", descriptor >> 46);
  const uint32_t start = field(descriptor, 0), leading = field(descriptor, 16), stride = field(descriptor, 32);
  for (uint32_t r = 0; r < static_cast<uint32_t>(rows); r++)
    for (uint32_t half = 0; half < 2; half++) {
      const uint32_t at = start + r / 8 * stride + r % 8 * 16 + half * leading;
      const uint8_t* from = shared_at(at, 16);
      read_by_products(at);
      for (int k = 0; k < 8; k++) {
        uint16_t bits;
        std::memcpy(&bits, from + 2 * k, sizeof bits);
        values[r][half * 8 + k] = widen(format, bits);
      }
    }
}

void read_registers(const Product& p, float (*values)[16]) {
  for (int l = 0; l < static_cast<int>(kWarpgroup); l++) {
    const int row = l / 32 * 16 + l % 32 / 4, k = l % 4 * 2;
    for (int i = 0; i < 4; i++)
      for (int h = 0; h < 2; h++)
        values[row + i % 2 * 8][k + h + i / 2 * 8] = widen(p.format, static_cast<uint16_t>(p.a[l][i] >> (16 * h)));
  }
}

void run(const Product& p) {
  float a[64][16], b[256][16];
  if (p.a_in_registers) read_registers(p, a);
  else read_matrix(p.format, p.a_descriptor, 64, a);
  read_matrix(p.format, p.b_descriptor, p.columns, b);
  for (int first = 0; first < p.columns; first += 8) {
    Eight columns[16], sums[64];
    for (int c = 0; c < 8; c++)
      for (int k = 0; k < 16; k++) columns[k][c] = b[first + c][k];
    const auto each = [&](const auto& move) {
      for (int l = 0; l < static_cast<int>(kWarpgroup); l++)
        for (int i = 0; i < 4; i++)
          move(p.sums[l][first / 2 + i], sums[l / 32 * 16 + l % 32 / 4 + i / 2 * 8], l % 4 * 2 + i % 2);
    };
    each([](float& own, Eight& row, int c) { row[c] = own; });
    for (int k = 0; k < 16; k++)
      for (int r = 0; r < 64; r++) sums[r] += a[r][k] * columns[k];
    each([](float& own, Eight& row, int c) { own = row[c]; });
  }
}

std::deque<std::vector<Product>>& own_queue() {
  queues.resize(thread_count() / kWarpgroup);
  auto& own = queues[thread_number() / kWarpgroup];
  if (own.empty()) own.emplace_back();
  return own;
}

void issue(void** lanes) {
  const LaneProduct first = *static_cast<LaneProduct*>(lanes[0]);
  Product p{first.format, first.columns, first.a_descriptor, first.b_descriptor, first.a != nullptr, {}, {}};
  for (size_t l = 0; l < kWarpgroup; l++) {
    const auto* own = static_cast<LaneProduct*>(lanes[l]);
    if (own->a_descriptor != first.a_descriptor || own->b_descriptor != first.b_descriptor)
      fail("lanes of a warpgroup disagree on a matrix descriptor", l);
    p.sums[l] = own->sums;
    p.a[l] = own->a;
  }
  if (late) own_queue().back().push_back(p);
  else run(p);
}

}  // namespace

void group_multiply(Format format, int columns, float* sums, const uint32_t* a, uint64_t a_descriptor,
                    uint64_t b_descriptor) {
  if (!fenced[thread_number()]) fail("a product without wgmma.fence since its registers changed", thread_number());
  LaneProduct own{format, columns, sums, a, a_descriptor, b_descriptor};
  meet(groups, kWarpgroup, &own, issue);
}

void begin_products() { fenced[thread_number()] = true; }
void changed_registers() { fenced[thread_number()] = false; }

void commit_products() {
  meet(groups, kWarpgroup, nullptr, [](void**) { own_queue().emplace_back(); });
}

void wait_products(int count) {
  meet(groups, kWarpgroup, &count, [](void** lanes) {
    auto& own = own_queue();
    while (static_cast<int>(own.size()) > *static_cast<int*>(lanes[0]) + 1) {
      for (const Product& p : own.front()) run(p);
      own.pop_front();
    }
  });
  changed_registers();  // the kernel may read and change them from now on
}

void reset_products(bool late_products) {
  late = late_products;
  fenced.assign(thread_count(), false);
  groups.clear();
  queues.clear();
}

}  // namespace emulator
