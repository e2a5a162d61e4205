// The instructions of tensor-core kernels: PTX under nvcc, the functions of test/cuda/emulator/tensor.h under the
// emulator. Kernels call only these, so the emulator runs the sources that a device runs.
//
// Shared memory is dynamic and addressed by 32-bit numbers, as the instructions want it. T is __nv_bfloat16 or __half
// and only a name here: two 16-bit values travel in a word, the lower one first.
#pragma once
#include "device/cuda.cuh"
#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#else
#include <cstring>

#include "tensor.h"
struct __nv_bfloat16;
struct __half;
#endif

namespace voxelspark {

using SharedAddress = uint32_t;

struct alignas(16) Vector16 {  // bytes
  uint32_t word[4];
};

constexpr int kWarpThreads = 32;

template <class T>
struct Is;  // names of formats
template <>
struct Is<__nv_bfloat16> {
  static constexpr bool kBf16 = true;
};
template <>
struct Is<__half> {
  static constexpr bool kBf16 = false;
};

#ifdef __CUDACC__

#define LAUNCH_KERNEL_SHARED(kernel, grid, threads, bytes, ...)                                              \
  (check_cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes), "a launch"), \
   kernel<<<grid, threads, bytes, cudaStreamPerThread>>>(__VA_ARGS__))

extern __shared__ __align__(128) uint8_t dynamic_shared_memory[];

__device__ inline SharedAddress dynamic_shared() {
  return static_cast<SharedAddress>(__cvta_generic_to_shared(dynamic_shared_memory));
}
__device__ inline void store_shared(SharedAddress to, int value) {
  asm volatile("st.shared.b32 [%0], %1;" ::"r"(to), "r"(value) : "memory");
}
__device__ inline int load_shared(SharedAddress from) {
  int value;
  asm volatile("ld.shared.b32 %0, [%1];" : "=r"(value) : "r"(from) : "memory");
  return value;
}
__device__ inline void store_shared(SharedAddress to, float value) {
  asm volatile("st.shared.f32 [%0], %1;" ::"r"(to), "f"(value) : "memory");
}
__device__ inline void load_shared(SharedAddress from, float& value) {
  asm volatile("ld.shared.f32 %0, [%1];" : "=f"(value) : "r"(from) : "memory");
}
__device__ inline void store_shared(SharedAddress to, const Vector16& v) {
  asm volatile("st.shared.v4.b32 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(v.word[0]), "r"(v.word[1]), "r"(v.word[2]),
               "r"(v.word[3])
               : "memory");
}
// Of memory that no thread of the kernel writes.
__device__ inline Vector16 load_global(const void* from) {
  Vector16 v;
  asm("ld.global.nc.L2::128B.v4.u32 {%0, %1, %2, %3}, [%4];"
      : "=r"(v.word[0]), "=r"(v.word[1]), "=r"(v.word[2]), "=r"(v.word[3])
      : "l"(from));
  return v;
}

// Copies 16 bytes in the background; zeros where `valid` is false.
__device__ inline void copy_async(SharedAddress to, const void* from, bool valid) {
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(valid ? 16 : 0)
               : "memory");
}
// Arrives at the barrier when all copies that this thread has issued so far are done.
__device__ inline void arrive_after_copies(SharedAddress barrier) {
  asm volatile("cp.async.mbarrier.arrive.noinc.shared.b64 [%0];" ::"r"(barrier) : "memory");
}

// A barrier in shared memory completes a phase with every `arrivals` arrivals.
__device__ inline void barrier_init(SharedAddress barrier, uint32_t arrivals) {
  asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}
__device__ inline void barrier_arrive(SharedAddress barrier) {
  asm volatile("{ .reg .b64 state; mbarrier.arrive.shared.b64 state, [%0]; }" ::"r"(barrier) : "memory");
}
// Until the phase of that parity is over.
__device__ inline void barrier_wait(SharedAddress barrier, uint32_t parity) {
#if __CUDA_ARCH__ >= 900
#define VS_TRY_WAIT "mbarrier.try_wait.parity.shared.b64"
#else
#define VS_TRY_WAIT "mbarrier.test_wait.parity.shared.b64"
#endif
  asm volatile("{ .reg .pred over; AGAIN: " VS_TRY_WAIT
               " over, [%0], %1; @over bra OVER; bra AGAIN; OVER: }" ::"r"(barrier),
               "r"(parity)
               : "memory");
#undef VS_TRY_WAIT
}
// Of so many threads of the block; ids 1 to 15.
__device__ inline void named_barrier(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
__device__ inline void sync_warp() { __syncwarp(); }
__device__ inline uint32_t shuffle_xor(uint32_t value, int mask) { return __shfl_xor_sync(0xFFFFFFFFu, value, mask); }
__device__ inline float shuffle_xor(float value, int mask) { return __shfl_xor_sync(0xFFFFFFFFu, value, mask); }

// Four 8 x 8 matrices; lane l names row l % 8 of matrix l / 8 and gets columns 2 (l % 4), + 1 of row l / 4 of each.
__device__ inline void load_matrices(uint32_t (&f)[4], SharedAddress row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(f[0]), "=r"(f[1]), "=r"(f[2]), "=r"(f[3])
               : "r"(row)
               : "memory");
}
__device__ inline void load_matrices_transposed(uint32_t (&f)[4], SharedAddress row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(f[0]), "=r"(f[1]), "=r"(f[2]), "=r"(f[3])
               : "r"(row)
               : "memory");
}

// sums (16 x 8) += a (16 x 16) * b (16 x 8).
#define VS_MULTIPLY(format)                                                           \
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." format "." format             \
               ".f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};" \
               : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])           \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1))
template <class T>
__device__ inline void multiply(float* sums, const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  if constexpr (Is<T>::kBf16) VS_MULTIPLY("bf16");
  else VS_MULTIPLY("f16");
}
#undef VS_MULTIPLY

// Two values rounded to nearest even.
template <class T>
__device__ inline uint32_t pack(float low, float high) {
  uint32_t word;
  if constexpr (Is<T>::kBf16) asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
  else asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
  return word;
}
// The two values of a word; exact.
template <class T>
__device__ inline void unpack(uint32_t word, float& low, float& high) {
  if constexpr (Is<T>::kBf16) {
    low = __uint_as_float(word << 16);
    high = __uint_as_float(word & 0xFFFF0000u);
  } else {
    asm("{ .reg .b16 l, h; mov.b32 {l, h}, %2; cvt.f32.f16 %0, l; cvt.f32.f16 %1, h; }"
        : "=f"(low), "=f"(high)
        : "r"(word));
  }
}

#else

inline SharedAddress dynamic_shared() { return emulator::kDynamicShared; }
inline void store_shared(SharedAddress to, int value) { emulator::store_shared(to, &value, sizeof value); }
inline int load_shared(SharedAddress from) {
  int value;
  emulator::load_shared(&value, from, sizeof value);
  return value;
}
inline void store_shared(SharedAddress to, float value) { emulator::store_shared(to, &value, sizeof value); }
inline void load_shared(SharedAddress from, float& value) { emulator::load_shared(&value, from, sizeof value); }
inline void store_shared(SharedAddress to, const Vector16& v) { emulator::store_shared(to, &v, sizeof v); }
inline Vector16 load_global(const void* from) {
  Vector16 v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
using emulator::arrive_after_copies;
using emulator::barrier_arrive;
using emulator::barrier_init;
using emulator::barrier_wait;
using emulator::copy_async;
using emulator::named_barrier;
using emulator::shuffle_xor;
inline float shuffle_xor(float value, int mask) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  bits = emulator::shuffle_xor(bits, mask);
  std::memcpy(&value, &bits, sizeof bits);
  return value;
}
using emulator::sync_warp;

inline void load_matrices(uint32_t (&f)[4], SharedAddress row) { emulator::load_matrices(f, row, false); }
inline void load_matrices_transposed(uint32_t (&f)[4], SharedAddress row) { emulator::load_matrices(f, row, true); }

template <class T>
constexpr emulator::Format kFormat = Is<T>::kBf16 ? emulator::Format::bf16 : emulator::Format::fp16;
template <class T>
inline void multiply(float* sums, const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  emulator::multiply(kFormat<T>, sums, a, b0, b1);
}
template <class T>
inline uint32_t pack(float low, float high) {
  return emulator::narrow(kFormat<T>, low) | static_cast<uint32_t>(emulator::narrow(kFormat<T>, high)) << 16;
}
template <class T>
inline void unpack(uint32_t word, float& low, float& high) {
  low = emulator::widen(kFormat<T>, static_cast<uint16_t>(word));
  high = emulator::widen(kFormat<T>, static_cast<uint16_t>(word >> 16));
}

#endif

// A ring of buffers in shared memory between threads that fill them and threads that use them. A buffer has two
// barriers: `full` and `empty`.
template <int kBuffers>
struct Ring {
  SharedAddress barriers;

  static constexpr int kBytes = kBuffers * 2 * 8;
  __device__ SharedAddress full(int i) const { return barriers + i * 16; }
  __device__ SharedAddress empty(int i) const { return barriers + i * 16 + 8; }
  __device__ void init(uint32_t fills, uint32_t uses) const {
    for (int i = 0; i < kBuffers; i++) {
      barrier_init(full(i), fills);
      barrier_init(empty(i), uses);
    }
  }
};

// The buffers of a ring in turn, and the parities of their phases.
template <int kBuffers>
struct Turn {
  int buffer = 0;
  uint32_t parity = 0;

  __device__ void next() {
    if (++buffer < kBuffers) return;
    buffer = 0;
    parity ^= 1;
  }
  __device__ void wait_full(const Ring<kBuffers>& r) const { barrier_wait(r.full(buffer), parity); }
  // At first every buffer is empty.
  __device__ void wait_empty(const Ring<kBuffers>& r) const { barrier_wait(r.empty(buffer), parity ^ 1); }
};

// One arrival a warp, after all its lanes have read the buffer.
__device__ inline void release_buffer(SharedAddress empty) {
  sync_warp();
  if (threadIdx.x % kWarpThreads == 0) barrier_arrive(empty);
}

}  // namespace voxelspark
