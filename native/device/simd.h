// Vectors for `*_simd.cc` files, which are compiled once per instruction set with VOXELSPARK_ISA = scalar, avx2 or
// avx512. Such a file includes no standard library header and defines its functions as SIMD(name): an inline
// function compiled for AVX-512 could otherwise win at link time and crash older machines.
#pragma once
#include <stdint.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define VS_JOIN2(a, b) a##_##b
#define VS_JOIN(a, b) VS_JOIN2(a, b)
#define SIMD(name) VS_JOIN(name, VOXELSPARK_ISA)
#define SIMD_NAMESPACE(name) namespace SIMD(name)
#define VS_INLINE __attribute__((always_inline)) inline
#define VS_UNROLL _Pragma("GCC unroll 32")

namespace voxelspark {
SIMD_NAMESPACE(simd) {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

typedef float Vec __attribute__((vector_size(kLanes * 4)));
typedef float VecU __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));

VS_INLINE Vec load(const float* p) { return *reinterpret_cast<const VecU*>(p); }
VS_INLINE void store(float* p, Vec v) { *reinterpret_cast<VecU*>(p) = v; }
// Past the caches, for outputs far larger than they are: no line is read before it is written. `p` is aligned to a
// vector. Visible to other threads after stream_fence().
VS_INLINE void stream(float* p, Vec v) {
#if defined(__AVX512F__)
  _mm512_stream_ps(p, reinterpret_cast<__m512>(v));
#elif defined(__AVX2__)
  _mm256_stream_ps(p, reinterpret_cast<__m256>(v));
#else
  store(p, v);
#endif
}
VS_INLINE Vec all(float x) { return x - Vec{}; }

// How far ahead of its use a long stream of floats is asked for: the latency of the L3 in multiply-adds.
constexpr int kWeightsAhead = 1024;

// Doubles for sums: as many bytes as Vec, so half as many lanes.
constexpr int kWide = kLanes / 2;
typedef float HalfU __attribute__((vector_size(kWide * 4), aligned(4), may_alias));
typedef double Wide __attribute__((vector_size(kWide * 8)));
typedef double WideU __attribute__((vector_size(kWide * 8), aligned(8), may_alias));

VS_INLINE Wide widen(const float* p) { return __builtin_convertvector(*reinterpret_cast<const HalfU*>(p), Wide); }
VS_INLINE Wide load(const double* p) { return *reinterpret_cast<const WideU*>(p); }
VS_INLINE void store(double* p, Wide v) { *reinterpret_cast<WideU*>(p) = v; }

}  // SIMD_NAMESPACE(simd)
using namespace SIMD(simd);
}  // namespace voxelspark
