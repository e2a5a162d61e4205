// Products of a warpgroup (wgmma, sm_90a) and what feeds them: PTX under nvcc, the emulator's functions otherwise.
// VS_HAS_WGMMA says whether the code being compiled may use them: kernels are empty for other architectures.
#pragma once
#include "device/cuda_tensor.cuh"

#if !defined(__CUDACC__) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define VS_HAS_WGMMA 1
#else
#define VS_HAS_WGMMA 0
#endif

namespace voxelspark {

constexpr int kGroupThreads = 128;

// An operand in shared memory, not swizzled, the sum innermost: 16 bytes hold 8 summands of a row, 8 rows follow each
// other; `rows` is the distance in bytes to the next 8 rows, `summands` that to the next 8 summands.
__host__ __device__ constexpr uint64_t matrix_layout(uint32_t rows, uint32_t summands) {
  return static_cast<uint64_t>(summands >> 4) << 16 | static_cast<uint64_t>(rows >> 4) << 32;
}
__host__ __device__ inline uint64_t matrix_at(uint64_t layout, SharedAddress start) { return layout | start >> 4; }

// Registers of a thread, which producers give to consumers: a block of one warpgroup of producers and two of consumers
// is launched with as many as fit, and who takes more than are left waits forever.
constexpr int kLaunchRegisters = 65536 / (3 * kGroupThreads) / 8 * 8;
constexpr bool can_hand_over(int producers, int consumers) {
  const bool granules = producers % 8 == 0 && consumers % 8 == 0 && producers >= 24 && consumers <= 256;
  return granules && producers + 2 * consumers <= 3 * kLaunchRegisters;
}

#ifdef __CUDACC__
#if VS_HAS_WGMMA

// To be executed by all warps of a warpgroup.
template <int kRegisters>
__device__ inline void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <int kRegisters>
__device__ inline void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
// Copies `bytes` in the background, and arrives at the barrier, whose phase waits for them.
__device__ inline void copy_bulk(SharedAddress to, const void* from, uint32_t bytes, SharedAddress barrier) {
  asm volatile("{ .reg .b64 state; mbarrier.arrive.expect_tx.shared.b64 state, [%0], %1; }" ::"r"(barrier), "r"(bytes)
               : "memory");
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(to),
               "l"(from), "r"(bytes), "r"(barrier)
               : "memory");
}
__device__ inline void fence_barriers() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
// Ends a group of copy_async().
__device__ inline void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// What this thread wrote to shared memory, all but its last groups of copies, is seen by wgmma after the next barrier.
template <int kGroups>
__device__ inline void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kGroups) : "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
__device__ inline void begin_products() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ inline void commit_products() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int kGroups>
__device__ inline void wait_products() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kGroups) : "memory");
}
// The compiler does not know that products change sums in the background: it could move what uses them across a wait.
// Nothing moves across this, behind the last wait and, where sums are set, before the first product.
template <int kCount>
__device__ inline void pin_sums(float (&sums)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; i++) asm volatile("" : "+f"(sums[i])::"memory");
}

#define VS_D4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define VS_D16(i) VS_D4(i), VS_D4(i + 4), VS_D4(i + 8), VS_D4(i + 12)
#define VS_D32(i) VS_D16(i), VS_D16(i + 16)
#define VS_D64(i) VS_D32(i), VS_D32(i + 32)
#define VS_D80(i) VS_D64(i), VS_D16(i + 64)
#define VS_D128(i) VS_D64(i), VS_D64(i + 64)
#define VS_N16 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15"
#define VS_N32 VS_N16 ", %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define VS_N64                                                                                        \
  VS_N32                                                                                              \
  ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, " \
  "%51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define VS_N80 \
  VS_N64       \
  ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79"
#define VS_N128                                                                                       \
  VS_N80                                                                                              \
  ", %80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, %96, %97, %98, " \
  "%99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, %112, %113, %114, "   \
  "%115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define VS_WGMMA(columns, format) "wgmma.mma_async.sync.aligned.m64n" columns "k16.f32." format "." format " {"
#define VS_SHARED(columns, format, names, sums, a_name, b_name) \
  asm volatile(VS_WGMMA(columns, format) names "}, " a_name ", " b_name ", 1, 1, 1, 0, 0;" : sums(0) : "l"(a), "l"(b))
#define VS_REGISTERS(columns, format, names, sums, a_names, b_name)                        \
  asm volatile(VS_WGMMA(columns, format) names "}, {" a_names "}, " b_name ", 1, 1, 1, 0;" \
               : sums(0)                                                                   \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b))
#define VS_BOTH(form, ...)                       \
  if constexpr (Is<T>::kBf16) VS_##form("bf16"); \
  else VS_##form("f16")

// sums (64 x columns) += a (64 x 16) * b (16 x columns), in the background until wait_products().
template <class T, int kColumns>
__device__ inline void multiply_group(float (&d)[kColumns / 2], uint64_t a, uint64_t b) {
#define VS_32(format) VS_SHARED("32", format, VS_N16, VS_D16, "%16", "%17")
#define VS_64(format) VS_SHARED("64", format, VS_N32, VS_D32, "%32", "%33")
#define VS_128(format) VS_SHARED("128", format, VS_N64, VS_D64, "%64", "%65")
#define VS_160(format) VS_SHARED("160", format, VS_N80, VS_D80, "%80", "%81")
#define VS_256(format) VS_SHARED("256", format, VS_N128, VS_D128, "%128", "%129")
  if constexpr (kColumns == 32) {
    VS_BOTH(32);
  } else if constexpr (kColumns == 64) {
    VS_BOTH(64);
  } else if constexpr (kColumns == 128) {
    VS_BOTH(128);
  } else if constexpr (kColumns == 160) {
    VS_BOTH(160);
  } else {
    VS_BOTH(256);
  }
#undef VS_32
#undef VS_64
#undef VS_128
#undef VS_160
#undef VS_256
}
// The same with the first operand in registers, as load_matrices() gives it to each warp.
template <class T, int kColumns>
__device__ inline void multiply_group(float (&d)[kColumns / 2], const uint32_t (&a)[4], uint64_t b) {
#define VS_32(format) VS_REGISTERS("32", format, VS_N16, VS_D16, "%16, %17, %18, %19", "%20")
#define VS_64(format) VS_REGISTERS("64", format, VS_N32, VS_D32, "%32, %33, %34, %35", "%36")
#define VS_128(format) VS_REGISTERS("128", format, VS_N64, VS_D64, "%64, %65, %66, %67", "%68")
  if constexpr (kColumns == 32) {
    VS_BOTH(32);
  } else if constexpr (kColumns == 64) {
    VS_BOTH(64);
  } else {
    VS_BOTH(128);
  }
#undef VS_32
#undef VS_64
#undef VS_128
}

#endif
#else

template <int kRegisters>
inline void give_registers() {}
template <int kRegisters>
inline void take_registers() {}
using emulator::commit_products;
using emulator::copy_bulk;
inline void fence_barriers() {}
using emulator::begin_products;
template <int kGroups>
inline void wait_products() {
  emulator::wait_products(kGroups);
}
using emulator::commit_copies;
template <int kGroups>
inline void wait_for_copies() {
  emulator::wait_copies(kGroups);
  emulator::fence_async();
}
template <int kCount>
inline void pin_sums(float (&)[kCount]) {}
template <class T, int kColumns>
inline void multiply_group(float (&d)[kColumns / 2], uint64_t a, uint64_t b) {
  emulator::group_multiply(kFormat<T>, kColumns, d, nullptr, a, b);
}
template <class T, int kColumns>
inline void multiply_group(float (&d)[kColumns / 2], const uint32_t (&a)[4], uint64_t b) {
  emulator::group_multiply(kFormat<T>, kColumns, d, a, 0, b);
}

#endif

}  // namespace voxelspark
