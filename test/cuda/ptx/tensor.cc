// Instructions of one warp on matrices: ldmatrix (PTX ISA 9.0, 9.7.14.5.15) and mma.sync (9.7.14.5.14).
#include <algorithm>

#include "counters.h"
#include "fragments.h"
#include "half.h"
#include "machine.h"
#include "product.h"

namespace ptx {
namespace {

// A matrix is eight rows of 16 bytes; lanes 8 m to 8 m + 7 hold the addresses of the rows of matrix m, item m of the
// list gets it.
template <bool transposed>
Outcome ldmatrix(Warp& w, const Instruction& i) {
  w.expect_all(i);
  const uint32_t matrices = i[0].count;
  if (counting) count_shared(w, i[1], 16, kAll >> (kLanes - 8 * matrices));
  uint16_t rows[32][8];
  for (uint32_t lane = 0; lane < 8 * matrices; ++lane)
    std::memcpy(rows[lane], w.block.read_shared(static_cast<uint32_t>(w.address(i[1], lane)), 16, 16, w.thread(lane)),
                16);
  for (uint32_t m = 0; m < matrices; ++m)
    for (uint32_t lane = 0; lane < kLanes; ++lane) {
      uint32_t pair = 0;
      for (uint32_t half = 0; half < 2; ++half) {
        const Element e = element_of_8x8(lane, half, transposed);
        pair |= uint32_t{rows[m * 8 + e.row][e.column]} << 16 * half;
      }
      w.words(i.item(i[0], m))[lane] = pair;
    }
  return Outcome::done;
}

Handler resolve_ldmatrix(Instruction& i) {
  const uint32_t matrices = i.has("x1") ? 1 : i.has("x2") ? 2 : i.has("x4") ? 4 : 0;
  const size_t known = matrices && i.has("trans") ? 7 : 6;
  if (!matrices || i[0].count != matrices || !i.has("sync") || !i.has("aligned") || !i.has("m8n8") || !i.has("b16") ||
      !(i.has("shared") || i.has("shared::cta")) || i.modifiers.size() != known)
    return nullptr;
  return i.has("trans") ? ldmatrix<true> : ldmatrix<false>;
}

template <Half kind>
Outcome mma(Warp& w, const Instruction& i) {
  w.expect_all(i);
  float a[16 * kDepth], b[kDepth * 8], d[16 * 8];
  const auto at = [](Element e, uint32_t columns) { return e.row * columns + e.column; };
  const auto part = [](uint32_t word, uint32_t half) { return decode(kind, static_cast<uint16_t>(word >> 16 * half)); };
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    for (uint32_t half = 0; half < 2; ++half) {
      for (uint32_t n = 0; n < 4; ++n)
        a[at(element_of_a(lane, n, half), kDepth)] = part(w.words(i.item(i[1], n))[lane], half);
      for (uint32_t n = 0; n < 2; ++n)
        b[at(element_of_b(lane, n, half), 8)] = part(w.words(i.item(i[2], n))[lane], half);
    }
    for (uint32_t n = 0; n < 4; ++n) d[at(element_of_d(lane, n), 8)] = w.floats(i.item(i[3], n))[lane];
  }
  multiply(current_sums(), 16, 8, a, b, d);
  for (uint32_t lane = 0; lane < kLanes; ++lane)
    for (uint32_t n = 0; n < 4; ++n) w.floats(i.item(i[0], n))[lane] = d[at(element_of_d(lane, n), 8)];
  return Outcome::done;
}

// mma.sync.aligned.m16n8k16.row.col.f32.{bf16.bf16,f16.f16}.f32 d, a, b, c
Handler resolve_mma(Instruction& i) {
  const std::vector<std::string_view> start{"sync", "aligned", "m16n8k16", "row", "col", "f32"};
  const auto& m = i.modifiers;
  if (m.size() != 9 || !std::equal(start.begin(), start.end(), m.begin()) || m[6] != m[7] || m[8] != "f32" ||
      i.count != 4 || i[0].count != 4 || i[1].count != 4 || i[2].count != 2 || i[3].count != 4)
    return nullptr;
  return m[6] == "bf16" ? mma<Half::bf16> : m[6] == "f16" ? mma<Half::f16> : nullptr;
}

const Family ldmatrix_family("ldmatrix", resolve_ldmatrix);
const Family mma_family("mma", resolve_mma);

}  // namespace
}  // namespace ptx
