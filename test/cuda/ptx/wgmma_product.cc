#include "wgmma_product.h"

#include <algorithm>
#include <cstring>

#include "fragments.h"
#include "half.h"
#include "product.h"

namespace ptx {
namespace {

Half kind_of(const Instruction& i) { return i.modifiers.back() == "bf16" ? Half::bf16 : Half::f16; }

uint64_t same_in_all_lanes(Warp& w, const Operand& o) {
  const uint64_t* values = w.longs(o);
  if (!std::all_of(values, values + kLanes, [&](uint64_t value) { return value == values[0]; }))
    fail("lanes of a warp give wgmma different matrix descriptors");
  return values[0];
}

void check(const Block& block, const std::vector<uint32_t>& pieces) {
  for (const uint32_t offset : pieces) {
    if (uint64_t{offset} + 16 > block.shared.size()) fail("a matrix of wgmma reaches beyond shared memory");
    const uint8_t* written = block.written.data() + offset;
    if (!std::all_of(written, written + 16, [](uint8_t byte) { return byte != 0; }))
      fail("wgmma reads shared memory at offset " + std::to_string(offset) + ", which was never written");
  }
}

// Whether D is added to: a constant, or a predicate.
bool adds(Warp& w, const Operand& scale) {
  return scale.kind == Operand::kConstant ? scale.value != 0 : w.predicate(scale) != 0;
}

// body(float of a register, element of D)
template <class Body>
void each_of_d(Warp* warps, const Instruction& i, uint32_t columns, std::vector<float>& d, const Body& body) {
  for (uint32_t warp = 0; warp < kGroup; ++warp)
    for (uint32_t n = 0; n < i[0].count; ++n) {
      float* floats = warps[warp].floats(i.item(i[0], n));
      for (uint32_t lane = 0; lane < kLanes; ++lane) {
        const Element e = element_of_d(lane, n);
        body(floats[lane], d[(warp * 16 + e.row) * columns + e.column]);
      }
    }
}

}  // namespace

std::vector<uint32_t> Matrix::pieces(uint32_t first, uint32_t rows) const {
  std::vector<uint32_t> all;
  uint32_t within;
  for (uint32_t row = first; row < first + rows; row += major_k ? 1 : 8)
    for (uint32_t k = 0; k < kDepth; k += major_k ? 8 : 1)
      all.push_back(find(place, major_k, row, k, within) - kSharedStart);
  return all;
}

Product::Product(Warp& w, const Instruction& i) : instruction(&i) {
  const Operand* flags = &i[6];  // imm-trans-a, if A has a descriptor, and imm-trans-b: 1 where k is not the major one
  if (!a_in_registers()) {
    a_bits_ = same_in_all_lanes(w, i[1]);
    a_ = {decode_descriptor(a_bits_), flags[0].value == 0};
    for (uint32_t warp = 0; warp < kGroup; ++warp) check(w.block, a_pieces[warp] = a_.pieces(warp * 16, 16));
  }
  b_bits_ = same_in_all_lanes(w, i[2]);
  b_ = {decode_descriptor(b_bits_), flags[a_in_registers() ? 0 : 1].value == 0};
  check(w.block, b_pieces = b_.pieces(0, columns()));
}

bool Product::is(Warp& w, const Instruction& i) const {
  return instruction == &i && (a_in_registers() || same_in_all_lanes(w, i[1]) == a_bits_) &&
         same_in_all_lanes(w, i[2]) == b_bits_;
}

// As rows of 16.
void Product::read_pieces(const Block& block, const std::vector<uint32_t>& pieces, bool major_k, bool negative,
                          float* to) const {
  const Half kind = kind_of(*instruction);
  for (size_t p = 0; p < pieces.size(); ++p) {
    uint16_t bits[8];
    std::memcpy(bits, block.shared.data() + pieces[p], sizeof bits);
    float* first = major_k ? to + p * 8 : to + p / kDepth * 8 * kDepth + p % kDepth;
    for (uint32_t n = 0; n < 8; ++n) {
      const float value = decode(kind, bits[n]);
      first[major_k ? n : n * kDepth] = negative ? -value : value;
    }
  }
}

std::vector<float> Product::from_registers(Warp* warps, bool negative) const {
  const Instruction& i = *instruction;
  const Half kind = kind_of(i);
  std::vector<float> a(kGroupRows * kDepth);
  for (uint32_t warp = 0; warp < kGroup; ++warp)
    for (uint32_t n = 0; n < i[1].count; ++n) {
      const uint32_t* words = warps[warp].words(i.item(i[1], n));
      for (uint32_t lane = 0; lane < kLanes; ++lane)
        for (uint32_t half = 0; half < 2; ++half) {
          const Element e = element_of_a(lane, n, half);
          const float value = decode(kind, static_cast<uint16_t>(words[lane] >> 16 * half));
          a[(warp * 16 + e.row) * kDepth + e.column] = negative ? -value : value;
        }
    }
  return a;
}

void Product::compute(Warp* warps) {
  const Instruction& i = *instruction;
  const Block& block = warps[0].block;
  const bool negative_a = i[4].value < 0, negative_b = i[5].value < 0;
  const uint32_t n = columns();
  std::vector<float> a(kGroupRows * kDepth), across(n * kDepth), b(kDepth * n), d(kGroupRows * n);
  if (a_in_registers()) a = from_registers(warps, negative_a);
  else
    for (uint32_t warp = 0; warp < kGroup; ++warp)
      read_pieces(block, a_pieces[warp], a_.major_k, negative_a, &a[warp * 16 * kDepth]);
  read_pieces(block, b_pieces, b_.major_k, negative_b, across.data());
  for (uint32_t column = 0; column < n; ++column)
    for (uint32_t k = 0; k < kDepth; ++k) b[k * n + column] = across[column * kDepth + k];
  if (adds(warps[0], i[3])) each_of_d(warps, i, n, d, [](const float& of, float& to) { to = of; });
  multiply(current_sums(), kGroupRows, n, a.data(), b.data(), d.data());
  each_of_d(warps, i, n, d, [](float& to, const float& of) { to = of; });
  computed = true;
}

}  // namespace ptx
