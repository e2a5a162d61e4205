// Normalisations that are pending on what kernels of the device load (see core/tensor.h).
//
// masked_norm and every reader compute z by the one function here, so a value settled on load has the bits that
// masked_norm would have stored, and forward and backward take the same side of the activation's kink. In 16 bits the
// arithmetic is float32's and the result is rounded as a store would round it.
#pragma once
#include "core/tensor.h"
#include "device/cuda_tensor.cuh"

namespace voxelspark {

__device__ inline float normalized(float x, float mean, float scale, float shift) {
  return fmaf(x - mean, scale, shift);
}
__device__ inline float activated(float z, float slope) { return z > 0 ? z : slope * z; }

struct PendingNorm {
  const float* affine;  // [sample or all][mean, scale, shift][channel]; null: nothing is pending
  int64_t stride;       // from sample to sample
  int channels;
  float slope;

  __device__ explicit operator bool() const { return affine != nullptr; }
};

inline PendingNorm pending_norm(const Tensor& t) {
  return {t.pending.affine, t.pending.stride, static_cast<int>(t.layout.channels()), t.pending.slope};
}

// What it does to V consecutive channels of one sample. Only for stored voxels: masked and outside ones stay zero.
template <int V>
struct ChannelNorm {
  Channels<V> mean, scale, shift;
  float slope;

  __device__ void read(const PendingNorm& n, int sample, int channel) {
    const float* from = n.affine + sample * n.stride + channel;
    mean = load<V>(from);
    scale = load<V>(from + n.channels);
    shift = load<V>(from + 2 * n.channels);
    slope = n.slope;
  }
  __device__ float settled(float x, int i) const {
    return activated(normalized(x, mean.v[i], scale.v[i], shift.v[i]), slope);
  }
};

// The same to values that a kernel computes with in float32 but that would have been stored as T.
template <class T, int V>
__device__ void settle(Channels<V>& values, const PendingNorm& n, int sample, int channel) {
  ChannelNorm<V> norm;
  norm.read(n, sample, channel);
#pragma unroll
  for (int i = 0; i < V; i++) values.v[i] = rounded<T>(norm.settled(values.v[i], i));
}

// To 8 channels of a voxel as they lie in memory.
template <class T>
__device__ inline Vector16 settled(const Vector16& raw, const ChannelNorm<8>& norm) {
  Vector16 out;
#pragma unroll
  for (int i = 0; i < 4; i++) {
    float low, high;
    unpack<T>(raw.word[i], low, high);
    out.word[i] = pack<T>(norm.settled(low, 2 * i), norm.settled(high, 2 * i + 1));
  }
  return out;
}

}  // namespace voxelspark
