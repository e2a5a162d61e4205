#include "device/isa.h"

#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "core/status.h"

namespace voxelspark {

Isa best_isa() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
    return Isa::avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Isa::avx2;
#endif
  return Isa::scalar;
}

static Isa initial_isa() {
  const Isa best = best_isa();
  const char* wish = std::getenv("VOXELSPARK_ISA");
  if (wish)
    for (Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512})
      if (!std::strcmp(wish, name_of(isa)) && isa < best) return isa;
  return best;
}

static Isa& active() {
  static Isa isa = initial_isa();
  return isa;
}

Isa active_isa() { return active(); }
void set_isa(Isa isa) { active() = isa; }

const char* name_of(Isa isa) { return isa == Isa::avx512 ? "avx512" : isa == Isa::avx2 ? "avx2" : "scalar"; }

Isa isa_of(const char* name) {
  for (Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512})
    if (!std::strcmp(name, name_of(isa))) {
      require(isa <= best_isa(), "RANGE",
              std::string("isa is ") + name + ", this processor has at most " + name_of(best_isa()));
      return isa;
    }
  throw Failure("RANGE", std::string("isa is ") + name + ", allowed are scalar, avx2 and avx512");
}

}  // namespace voxelspark
