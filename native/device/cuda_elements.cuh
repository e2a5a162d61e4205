// Element types of kernels: float, __nv_bfloat16, __half. Arithmetic is float's; memory may be of 16 bits, which saves
// half of the traffic. Kernels are templates on the type T and move several consecutive channels at once.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include "core/dtype.h"

namespace voxelspark {

__device__ inline float widen(float v) { return v; }
__device__ inline float widen(__nv_bfloat16 v) { return __bfloat162float(v); }
__device__ inline float widen(__half v) { return __half2float(v); }

// To the nearest, ties to even.
template <class T>
__device__ T narrow(float v);
template <>
__device__ inline float narrow<float>(float v) {
  return v;
}
template <>
__device__ inline __nv_bfloat16 narrow<__nv_bfloat16>(float v) {
  return __float2bfloat16_rn(v);
}
template <>
__device__ inline __half narrow<__half>(float v) {
  return __float2half_rn(v);
}

// What v becomes when it is stored as T.
template <class T>
__device__ float rounded(float v) {
  return widen(narrow<T>(v));
}

// Elements of 16 bytes, the most that one instruction moves.
template <class T>
constexpr int kVector = 16 / static_cast<int>(sizeof(T));

// V consecutive channels in registers, and in memory.
template <int V>
struct alignas(V * sizeof(float)) Channels {
  float v[V];
};
template <class T, int V>
struct alignas(V * sizeof(T) < 16 ? V * sizeof(T) : 16) Packed {
  T v[V];
};

template <int V, class T>
__device__ inline Channels<V> load(const T* p) {
  const Packed<T, V> packed = *reinterpret_cast<const Packed<T, V>*>(p);
  Channels<V> values;
#pragma unroll
  for (int i = 0; i < V; i++) values.v[i] = widen(packed.v[i]);
  return values;
}
template <int V, class T>
__device__ inline void store(T* p, const Channels<V>& values) {
  Packed<T, V> packed;
#pragma unroll
  for (int i = 0; i < V; i++) packed.v[i] = narrow<T>(values.v[i]);
  *reinterpret_cast<Packed<T, V>*>(p) = packed;
}

// Of a run of `left` elements, which may end before V do: nothing beyond it is read, where memory need not hold a
// value.
template <int V, class T>
__device__ inline Channels<V> load_up_to(int64_t left, const T* p) {
  if (left >= V) return load<V>(p);
  Channels<V> values = {};
#pragma unroll
  for (int i = 0; i < V; i++)
    if (i < left) values.v[i] = widen(p[i]);
  return values;
}
template <int V, class T>
__device__ inline void store_up_to(int64_t left, T* p, const Channels<V>& values) {
  if (left >= V) return store<V>(p, values);
#pragma unroll
  for (int i = 0; i < V; i++)
    if (i < left) p[i] = narrow<T>(values.v[i]);
}

// Calls body(zero of the element type).
template <class Body>
void by_element(DType type, const Body& body) {
  switch (type) {
    case DType::bfloat16: return body(__nv_bfloat16{});
    case DType::float16: return body(__half{});
    default: return body(float{});  // the device has no float64
  }
}

}  // namespace voxelspark
