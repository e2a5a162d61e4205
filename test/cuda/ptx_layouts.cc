// The parts of the tensor instructions that need no machine, against layouts that are written the other way round
// (which lane holds an element, where a piece of a tile lies), against corners of the figures of the PTX ISA, and
// against plain products.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "ptx/descriptor.h"
#include "ptx/fragments.h"
#include "ptx/half.h"
#include "ptx/product.h"

using namespace ptx;

namespace {

std::mt19937 generator(7);
uint32_t draw(uint32_t below) { return static_cast<uint32_t>(generator() % below); }

void expect(bool holds, const char* what) {
  if (holds) return;
  std::printf("%s\n", what);
  std::exit(1);
}

// Figures 77 to 79 of mma.m16n8k16, 148 and 149 of wgmma, and that of ldmatrix.
void corners() {
  expect(element_of_a(0, 0, 0) == Element{0, 0}, "a0 of lane 0");
  expect(element_of_a(0, 1, 0) == Element{8, 0}, "a2 of lane 0");
  expect(element_of_a(0, 2, 0) == Element{0, 8}, "a4 of lane 0");
  expect(element_of_a(0, 3, 1) == Element{8, 9}, "a7 of lane 0");
  expect(element_of_a(31, 0, 1) == Element{7, 7}, "a1 of lane 31");
  expect(element_of_a(31, 3, 1) == Element{15, 15}, "a7 of lane 31");
  expect(element_of_b(0, 0, 1) == Element{1, 0}, "b1 of lane 0");
  expect(element_of_b(3, 1, 0) == Element{14, 0}, "b2 of lane 3");
  expect(element_of_b(31, 1, 1) == Element{15, 7}, "b3 of lane 31");
  expect(element_of_d(1, 1) == Element{0, 3}, "c1 of lane 1");
  expect(element_of_d(31, 3) == Element{15, 7}, "c3 of lane 31");
  expect(element_of_d(0, 4) == Element{0, 8}, "d4 of lane 0");
  expect(element_of_d(5, 127) == Element{9, 251}, "d127 of lane 5");
  expect(element_of_8x8(4, 0, false) == Element{1, 0}, "row 1 begins in lane 4");
  expect(element_of_8x8(4, 1, true) == Element{1, 1}, "lane 4 has column 1 of a transposed matrix");
  expect(element_of_8x8(0, 1, true) == Element{1, 0}, "lane 0 has rows 0 and 1 of a transposed matrix");
}

// Which lane, register and half an element is in.
void fragments() {
  for (uint32_t row = 0; row < 16; ++row)
    for (uint32_t k = 0; k < 16; ++k) {
      const uint32_t lane = row % 8 * 4 + k % 8 / 2, item = (row >= 8) + 2 * (k >= 8);
      expect(element_of_a(lane, item, k % 2) == Element{row, k}, "a fragment of A");
    }
  for (uint32_t k = 0; k < 16; ++k)
    for (uint32_t n = 0; n < 8; ++n)
      expect(element_of_b(n * 4 + k % 8 / 2, k / 8, k % 2) == Element{k, n}, "a fragment of B");
  for (uint32_t row = 0; row < 16; ++row)
    for (uint32_t n = 0; n < 256; ++n)
      expect(element_of_d(row % 8 * 4 + n % 8 / 2, n / 8 * 4 + (row >= 8) * 2 + n % 2) == Element{row, n},
             "a fragment of D");
}

void check_place(uint64_t bits, bool major_k, uint32_t row, uint32_t k, uint32_t expected) {
  uint32_t within;
  const uint32_t piece = find(decode_descriptor(bits), major_k, row, k, within);
  expect(piece + 2 * within == expected, "an element of a descriptor's matrix");
}

uint64_t describe(uint32_t start, uint32_t leading, uint32_t stride, uint64_t mode) {
  return start / 16 | uint64_t{leading / 16} << 16 | uint64_t{stride / 16} << 32 | mode << 62;
}

// Without swizzling: a tile is made of core matrices of eight rows of 16 bytes.
void plain_tiles() {
  const uint32_t start = 1024 + 16 * draw(64), leading = 128 + 16 * draw(200), stride = 128 + 16 * draw(200);
  const uint64_t bits = describe(start, leading, stride, 0);
  for (uint32_t i = 0; i < 8; ++i)      // along rows of A, or columns of B
    for (uint32_t j = 0; j < 2; ++j) {  // along k
      for (uint32_t r = 0; r < 8; ++r)
        for (uint32_t c = 0; c < 8; ++c) {
          check_place(bits, true, 8 * i + r, 8 * j + c, start + i * stride + j * leading + 16 * r + 2 * c);
          check_place(bits, false, 8 * i + c, 8 * j + r, start + i * stride + j * leading + 16 * r + 2 * c);
        }
    }
}

// With swizzling: a row of an atom has 2^s pieces of 16 bytes, which lie in another order in each row; the pattern of
// 128 bytes repeats after eight rows, that of 64 holds two rows in what is one of 128, that of 32 four.
void swizzled_tiles(uint32_t s, uint64_t mode) {
  const uint32_t pieces = 1u << s, atom = 8 * pieces * 16, start = 2048, stride = 3 * atom, leading = 9 * atom;
  const uint64_t bits = describe(start, leading, stride, mode);
  for (uint32_t r = 0; r < 64; ++r)
    for (uint32_t k = 0; k < 16; ++k) {
      const uint32_t turn = r % 8 * pieces / 8;
      check_place(bits, true, r, k,
                  start + r / 8 * stride + r % 8 * pieces * 16 + ((k / 8) ^ (turn % pieces)) * 16 + k % 8 * 2);
    }
  for (uint32_t m = 0; m < 128; ++m)
    for (uint32_t k = 0; k < 16; ++k) {
      const uint32_t turn = k % 8 * pieces / 8, piece = m / 8 % pieces;
      check_place(bits, false, m, k,
                  start + m / 8 / pieces * leading + k / 8 * stride + k % 8 * pieces * 16 +
                      (piece ^ (turn % pieces)) * 16 + m % 8 * 2);
    }
}

void numbers() {
  expect(decode(Half::bf16, 0x3F80) == 1 && decode(Half::bf16, 0xC0A0) == -5, "bfloat16");
  expect(decode(Half::f16, 0x3C00) == 1 && decode(Half::f16, 0xC500) == -5, "binary16");
  expect(decode(Half::f16, 0x7BFF) == 65504 && decode(Half::f16, 0x0001) == std::ldexp(1.0f, -24), "ends of binary16");
  expect(std::isinf(decode(Half::f16, 0xFC00)) && std::isnan(decode(Half::f16, 0x7C01)), "no numbers of binary16");
  for (uint32_t bits = 0; bits < 0x7C00; ++bits) {
    const double exponent = bits / 1024, fraction = bits % 1024 / 1024.0;
    const double value = exponent > 0 ? std::pow(2, exponent - 15) * (1 + fraction) : std::pow(2, -14) * fraction;
    expect(decode(Half::f16, static_cast<uint16_t>(bits)) == value, "a number of binary16");
    expect(decode(Half::f16, static_cast<uint16_t>(bits | 0x8000)) == -value, "a negative number of binary16");
  }
}

void products(Sums sums, double tolerance) {
  std::vector<float> a(64 * 16), b(16 * 24), d(64 * 24);
  for (auto* all : {&a, &b, &d})
    for (float& x : *all) x = static_cast<float>(draw(2001)) / 1000 - 1;
  for (auto* all : {&a, &b})
    for (float& x : *all) {  // to 8 bits of mantissa
      int exponent;
      const float mantissa = std::frexp(x, &exponent);
      x = std::ldexp(std::trunc(mantissa * 256), exponent - 8);
    }
  const std::vector<float> before = d;
  multiply(sums, 64, 24, a.data(), b.data(), d.data());
  for (uint32_t m = 0; m < 64; ++m)
    for (uint32_t n = 0; n < 24; ++n) {
      double sum = before[m * 24 + n];
      for (uint32_t k = 0; k < 16; ++k) sum += double{a[m * 16 + k]} * b[k * 24 + n];
      expect(std::fabs(d[m * 24 + n] - sum) <= tolerance, "a product");
    }
}

// 1 + 15 x: of x = 2^-25 three whole steps of float32 are left, 2^-26 is below what is kept, in both directions.
void cut_off() {
  const auto sum = [](float x, float first = 1) {
    std::vector<float> a(16, 1.0f), b(16, x);
    float d = 0;
    a[0] = b[0] = first;
    multiply(Sums::truncated, 1, 1, a.data(), b.data(), &d);
    return d;
  };
  expect(sum(std::ldexp(1.0f, -25)) == 1 + std::ldexp(3.0f, -23), "bits that are kept");
  expect(sum(std::ldexp(1.0f, -26)) == 1 && sum(-std::ldexp(1.0f, -26)) == 1, "bits that are cut off");
  expect(sum(std::ldexp(1.0f, -25), 1.5f) == 2.25f + std::ldexp(1.0f, -22), "the exponent of 1.5 times 1.5 is 0");
  expect(sum(-std::ldexp(1.0f, -25)) == 1 - std::ldexp(8.0f, -24), "a sum is cut off towards zero");
}

}  // namespace

int main() {
  corners();
  fragments();
  for (int round = 0; round < 20; ++round) plain_tiles();
  swizzled_tiles(3, 1);
  swizzled_tiles(2, 2);
  swizzled_tiles(1, 3);
  numbers();
  products(Sums::in_order, 1e-5);
  products(Sums::truncated, 1e-5);
  cut_off();
  return 0;
}
