#include "counters.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "handlers.h"
#include "kernel.h"

namespace ptx {

Counters* counting = nullptr;

namespace {

// Sorted, each once.
struct Numbers {
  uint64_t all[4 * kLanes];
  size_t count = 0;

  void add(uint64_t number) { all[count++] = number; }
  void settle() {
    std::sort(all, all + count);
    count = static_cast<size_t>(std::unique(all, all + count) - all);
  }
};

// The most different words that one bank must give.
uint64_t most_of_a_bank(const Numbers& words) {
  constexpr uint64_t kBanks = 32;
  uint64_t of_bank[kBanks] = {}, most = 0;
  for (size_t k = 0; k < words.count; k++) most = std::max(most, ++of_bank[words.all[k] % kBanks]);
  return most;
}

const char* path() {
  static const char* file = std::getenv("VOXELSPARK_PTX_COUNTERS");
  return file;
}

}  // namespace

Class class_of(const Instruction& i) {
  const auto& o = i.opcode;
  const auto any = [&](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), o) != names.end();
  };
  if (any({"mma", "wgmma"})) return Class::tensor;
  if (any({"bar", "shfl", "mbarrier", "fence", "setmaxnreg"})) return Class::meetings;
  if (any({"bra", "ret", "exit"})) return Class::branches;
  if (o == "ldmatrix" || (any({"ld", "st"}) && i.has("shared"))) return Class::shared;
  if (o == "cp" || (any({"ld", "st"}) && !i.has("param"))) return Class::global;
  if (any({"ld", "mov", "cvta", "selp", "cvt"})) return Class::moves;
  const Type type = last_type(i);
  return type == Type::f32 ? Class::f32 : type == Type::f64 ? Class::f64 : Class::integer;
}

// Lanes take turns where they need more than 128 bytes: halves of the warp for 8 bytes each, quarters for 16.
void count_shared(Warp& w, const Operand& address, uint32_t bytes, uint32_t lanes) {
  const uint32_t together = bytes <= 4 ? kLanes : 128 / bytes;
  counting->shared_accesses++;
  for (uint32_t first = 0; first < kLanes; first += together) {
    Numbers words;
    for (uint32_t l = first; l < first + together; l++)
      for (uint32_t k = 0; (lanes >> l & 1) && k < (bytes + 3) / 4; k++) words.add(w.address(address, l) / 4 + k);
    words.settle();
    counting->passes += most_of_a_bank(words);
    counting->least_passes += words.count > 0;
  }
}

void count_global(Warp& w, const Operand& address, uint32_t bytes, uint32_t lanes) {
  constexpr uint64_t kSector = 32;
  Numbers sectors, places;
  for (uint32_t l = 0; l < kLanes; l++) {
    if (!(lanes >> l & 1)) continue;
    sectors.add(w.address(address, l) / kSector);
    places.add(w.address(address, l) / bytes);
  }
  sectors.settle();
  places.settle();
  counting->global_accesses++;
  counting->sectors += sectors.count;
  counting->least_sectors += (places.count * bytes + kSector - 1) / kSector;
}

CountedLaunch::CountedLaunch(const Launch& launch) : launch_(launch) {
  if (path()) counting = &counters_;
}

CountedLaunch::~CountedLaunch() {
  counting = nullptr;
  std::FILE* file = path() ? std::fopen(path(), "a") : nullptr;
  if (!file) return;
  const Counters& c = counters_;
  std::fprintf(file, "%s\t%llu\t%llu", launch_.kernel.title().c_str(),
               static_cast<unsigned long long>(launch_.grid.count()),
               static_cast<unsigned long long>(launch_.size.count()));
  for (const uint64_t n : c.instructions) std::fprintf(file, "\t%llu", static_cast<unsigned long long>(n));
  for (const uint64_t n : {c.shared_accesses, c.passes, c.least_passes, c.global_accesses, c.sectors, c.least_sectors})
    std::fprintf(file, "\t%llu", static_cast<unsigned long long>(n));
  std::fputc('\n', file);
  std::fclose(file);
}

}  // namespace ptx
