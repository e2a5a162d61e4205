// Run-time choice among the copies of a SIMD source file (`*_simd.cc` of an op), each compiled for one
// instruction set. VOXELSPARK_ISA=scalar|avx2|avx512 lowers the choice, for tests and comparisons.
#pragma once

namespace voxelspark {

enum class Isa : int { scalar = 0, avx2 = 1, avx512 = 2 };

Isa active_isa();
Isa best_isa();
void set_isa(Isa isa);  // must not exceed best_isa()
const char* name_of(Isa isa);
Isa isa_of(const char* name);  // throws where there is no such one, or the processor has it not

}  // namespace voxelspark

// DECLARE_SIMD(conv3d_rows, void, (const Args&)) declares the three copies and `simd_conv3d_rows()`, which
// returns the one in force. On machines other than x86-64 only the scalar copy exists.
#if defined(__x86_64__)
#define DECLARE_SIMD(name, result, arguments)               \
  result name##_scalar arguments;                           \
  result name##_avx2 arguments;                             \
  result name##_avx512 arguments;                           \
  inline auto simd_##name()->result(*) arguments {          \
    switch (::voxelspark::active_isa()) {                   \
      case ::voxelspark::Isa::avx512: return name##_avx512; \
      case ::voxelspark::Isa::avx2: return name##_avx2;     \
      default: return name##_scalar;                        \
    }                                                       \
  }
#else
#define DECLARE_SIMD(name, result, arguments) \
  result name##_scalar arguments;             \
  inline auto simd_##name()->result(*) arguments { return name##_scalar; }
#endif
