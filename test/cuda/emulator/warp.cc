#include <cstring>

#include "group.h"
#include "tensor.h"

namespace emulator {

namespace {

std::vector<Meeting> warps;

const float* fp16_values() {
  static const std::vector<float> table = [] {
    std::vector<float> values(1 << 16);
    for (uint32_t i = 0; i < values.size(); i++) {
      const auto bits = static_cast<uint16_t>(i);
      _Float16 value;
      std::memcpy(&value, &bits, sizeof bits);
      values[i] = static_cast<float>(value);
    }
    return values;
  }();
  return table.data();
}

struct Shuffle {
  uint32_t value, result;
  int mask;
};

struct MatrixLoad {
  uint32_t* fragment;
  uint32_t address;
};

struct Product {
  Format format;
  float* sums;
  const uint32_t* a;
  uint32_t b[2];
};

uint16_t half_of(uint32_t word, int i) { return static_cast<uint16_t>(word >> (16 * i)); }

// Lane l gives the address of row l % 8 of matrix l / 8 and gets elements 2 (l % 4), + 1 of row l / 4 of each.
void load_rows(void** lanes) {
  for (uint32_t l = 0; l < kWarp; l++)
    for (uint32_t m = 0; m < 4; m++) {
      const auto* row = static_cast<MatrixLoad*>(lanes[m * 8 + l / 4]);
      std::memcpy(&static_cast<MatrixLoad*>(lanes[l])->fragment[m], shared_at(row->address, 16) + l % 4 * 4, 4);
    }
}

// The same of the transposed matrices.
void load_columns(void** lanes) {
  for (uint32_t l = 0; l < kWarp; l++)
    for (uint32_t m = 0; m < 4; m++) {
      uint16_t pair[2];
      for (uint32_t j = 0; j < 2; j++) {
        const auto* row = static_cast<MatrixLoad*>(lanes[m * 8 + l % 4 * 2 + j]);
        std::memcpy(&pair[j], shared_at(row->address, 16) + l / 4 * 2, 2);
      }
      std::memcpy(&static_cast<MatrixLoad*>(lanes[l])->fragment[m], pair, 4);
    }
}

void multiply_fragments(void** lanes) {
  float a[16][16];
  Eight b[16], sums[16];
  for (int l = 0; l < 32; l++) {
    const auto* p = static_cast<Product*>(lanes[l]);
    const int row = l / 4, k = l % 4 * 2;
    for (int i = 0; i < 4; i++)
      for (int h = 0; h < 2; h++) a[row + i % 2 * 8][k + h + i / 2 * 8] = widen(p->format, half_of(p->a[i], h));
    for (int i = 0; i < 2; i++)
      for (int h = 0; h < 2; h++) b[k + h + i * 8][row] = widen(p->format, half_of(p->b[i], h));
    for (int i = 0; i < 4; i++) sums[row + i / 2 * 8][k + i % 2] = p->sums[i];
  }
  for (int k = 0; k < 16; k++)
    for (int r = 0; r < 16; r++) sums[r] += a[r][k] * b[k];
  for (int l = 0; l < 32; l++)
    for (int i = 0; i < 4; i++) static_cast<Product*>(lanes[l])->sums[i] = sums[l / 4 + i / 2 * 8][l % 4 * 2 + i % 2];
}

}  // namespace

float widen(Format format, uint16_t bits) {
  if (format == Format::fp16) return fp16_values()[bits];
  const uint32_t word = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &word, sizeof word);
  return value;
}

uint16_t narrow(Format format, float value) {
  if (format == Format::fp16) {
    const auto half = static_cast<_Float16>(value);
    uint16_t bits;
    std::memcpy(&bits, &half, sizeof bits);
    return bits;
  }
  uint32_t word;
  std::memcpy(&word, &value, sizeof word);
  if (value != value) return 0x7FFF;
  return static_cast<uint16_t>((word + 0x7FFF + ((word >> 16) & 1)) >> 16);
}

void store_shared(uint32_t address, const void* from, uint32_t bytes) {
  may_lose_turn();
  std::memcpy(shared_at(address, bytes), from, bytes);
  wrote(thread_number(), address);
}

void load_shared(void* to, uint32_t address, uint32_t bytes) { std::memcpy(to, shared_at(address, bytes), bytes); }

void sync_warp() {
  meet(warps, kWarp, nullptr, [](void**) {});
}

uint32_t shuffle_xor(uint32_t value, int mask) {
  Shuffle own{value, 0, mask};
  meet(warps, kWarp, &own, [](void** lanes) {
    for (int l = 0; l < 32; l++) {
      auto* s = static_cast<Shuffle*>(lanes[l]);
      s->result = static_cast<Shuffle*>(lanes[l ^ s->mask])->value;
    }
  });
  return own.result;
}

void load_matrices(uint32_t (&fragment)[4], uint32_t address, bool transposed) {
  MatrixLoad own{fragment, address};
  changed_registers();
  meet(warps, kWarp, &own, transposed ? load_columns : load_rows);
}

void multiply(Format format, float* sums, const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  Product own{format, sums, a, {b0, b1}};
  meet(warps, kWarp, &own, multiply_fragments);
}

void reset_warps() { warps.clear(); }

}  // namespace emulator
