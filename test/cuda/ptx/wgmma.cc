// wgmma: products of four warps together, PTX ISA 9.0, 9.7.15. One is computed as a whole: early, when the last of the
// four warps has issued it; late, when the first of them waits for it. In between nobody may touch its registers, nor
// write what it reads.
#include <algorithm>
#include <cstdlib>
#include <deque>

#include "wgmma_product.h"
#include "wgmma_registers.h"

namespace ptx {
namespace {

constexpr uint32_t kAllWarps = (1 << kGroup) - 1;

class Products : public Part {
 public:
  explicit Products(Block& block)
      : block_(block), groups_((block.warps.size() + kGroup - 1) / kGroup), members_(block.warps.size()) {}

  void issue(Warp& w, const Instruction& i);
  void commit(Warp& w) { members_[w.number].groups.push_back(members_[w.number].issued); }
  Outcome wait(Warp& w, uint64_t but);
  WgmmaRegisters& registers(const Warp& w) { return members_[w.number].registers; }
  void warp_ended(Warp& w) override {
    if (members_[w.number].retired < members_[w.number].issued) fail("a warp ends with wgmma in flight");
  }

 private:
  struct Group {
    std::deque<Product> products;
    uint64_t first = 0;  // number of the first that is still kept
    Product& at(uint64_t number) { return products[number - first]; }
  };
  struct Member {
    uint64_t issued = 0, retired = 0;
    std::deque<uint64_t> groups;  // committed and not waited for: number of the product after their last
    WgmmaRegisters registers;
  };
  void finish(uint32_t group, uint64_t number, uint32_t warp);
  void forget(uint32_t group);

  Block& block_;
  std::vector<Group> groups_;
  std::vector<Member> members_;
};

const PartOf<Products> products;

void Products::issue(Warp& w, const Instruction& i) {
  const uint32_t group = w.number / kGroup, own = w.number % kGroup;
  if ((group + 1) * kGroup > block_.warps.size()) fail("wgmma in a warpgroup of less than four warps");
  Member& member = members_[w.number];
  member.registers.take(i, static_cast<uint32_t>(i.detail));
  Group& g = groups_[group];
  const uint64_t number = member.issued++;
  if (number == g.first + g.products.size()) g.products.emplace_back(w, i);
  Product& p = g.at(number);
  if (!p.is(w, i)) fail("the warps of a warpgroup execute different wgmma, or give them different descriptors");
  for (const uint32_t offset : p.a_pieces[own]) block_.traffic.start_product(offset, w.number);
  for (const uint32_t offset : p.b_pieces) block_.traffic.start_product(offset, w.number);
  p.issued |= 1u << own;
  if (p.issued == kAllWarps && !block_.launch.late.products) p.compute(&block_.warps[group * kGroup]);
}

// A warp has waited for a product: its registers are its own again, and what the product read may be written.
void Products::finish(uint32_t group, uint64_t number, uint32_t warp) {
  Product& p = groups_[group].at(number);
  const auto step = static_cast<uint32_t>(number + 1);
  if (!p.over) {
    for (const auto& pieces : p.a_pieces)
      for (const uint32_t offset : pieces) block_.traffic.end_product(offset, 1, group, step);
    for (const uint32_t offset : p.b_pieces) block_.traffic.end_product(offset, kGroup, group, step);
    p.over = true;
  }
  block_.traffic.observe_products(group, step, warp);
  members_[warp].registers.give_back(*p.instruction);
}

// All that the four warps have waited for.
void Products::forget(uint32_t group) {
  Group& g = groups_[group];
  uint64_t least = members_[group * kGroup].retired;
  for (uint32_t warp = 1; warp < kGroup; ++warp) least = std::min(least, members_[group * kGroup + warp].retired);
  for (; g.first < least; ++g.first) g.products.pop_front();
}

Outcome Products::wait(Warp& w, uint64_t but) {
  const uint32_t group = w.number / kGroup;
  Member& member = members_[w.number];
  if (member.groups.size() <= but) return Outcome::done;
  Group& g = groups_[group];
  const uint64_t until = member.groups[member.groups.size() - but - 1];
  for (uint64_t number = member.retired; number < until; ++number)
    if (g.at(number).issued != kAllWarps) return Outcome::blocked;
  for (; member.retired < until; ++member.retired) {
    Product& p = g.at(member.retired);
    if (!p.computed) p.compute(&block_.warps[group * kGroup]);
    finish(group, member.retired, w.number);
  }
  while (member.groups.size() > but) member.groups.pop_front();
  forget(group);
  return Outcome::done;
}

Outcome mma_async(Warp& w, const Instruction& i) {
  w.expect_all(i);
  products.of(w.block).issue(w, i);
  return Outcome::done;
}

Outcome fence(Warp& w, const Instruction& i) {
  w.expect_all(i);
  products.of(w.block).registers(w).fence();
  return Outcome::done;
}

Outcome commit(Warp& w, const Instruction& i) {
  w.expect_all(i);
  products.of(w.block).commit(w);
  return Outcome::done;
}

Outcome wait(Warp& w, const Instruction& i) {
  w.expect_all(i);
  return products.of(w.block).wait(w, static_cast<uint64_t>(i[0].value));
}

bool is_unit(const Operand& o) { return o.kind == Operand::kConstant && (o.value == 1 || o.value == -1); }
bool is_flag(const Operand& o) { return o.kind == Operand::kConstant && (o.value == 0 || o.value == 1); }

// wgmma.mma_async.sync.aligned.m64nNk16.f32.{bf16.bf16,f16.f16} d, a, b, scale-d, scale-a, scale-b{, trans-a}, trans-b
Handler resolve_mma(Instruction& i) {
  const auto& m = i.modifiers;
  if (m.size() != 7 || m[1] != "sync" || m[2] != "aligned" || m[4] != "f32" || m[5] != m[6] ||
      !(m[5] == "bf16" || m[5] == "f16") || m[3].substr(0, 4) != "m64n")
    return nullptr;
  const auto columns = static_cast<uint32_t>(std::atoi(std::string(m[3].substr(4)).c_str()));
  if (m[3] != "m64n" + std::to_string(columns) + "k16" || !columns || columns % 8 || columns > 256) return nullptr;
  const bool list = i.count > 1 && i[1].kind == Operand::kList;
  if (i.count != (list ? 7u : 8u) || i[0].count != columns / 2 || (list && i[1].count != 4)) return nullptr;
  if (!is_unit(i[4]) || !is_unit(i[5])) return nullptr;
  for (uint32_t n = 6; n < i.count; ++n)
    if (!is_flag(i[n])) return nullptr;
  i.detail = columns;
  return mma_async;
}

Handler resolve(Instruction& i) {
  using Spelling = std::vector<std::string_view>;
  if (!i.modifiers.empty() && i.modifiers[0] == "mma_async") return resolve_mma(i);
  if (i.modifiers == Spelling{"fence", "sync", "aligned"}) return fence;
  if (i.modifiers == Spelling{"commit_group", "sync", "aligned"}) return commit;
  if (i.modifiers == Spelling{"wait_group", "sync", "aligned"} && i[0].kind == Operand::kConstant) return wait;
  return nullptr;
}

const Family family("wgmma", resolve);

}  // namespace

void products_touched(Warp& w, const Instruction& i) { products.of(w.block).registers(w).touch(i); }

}  // namespace ptx
