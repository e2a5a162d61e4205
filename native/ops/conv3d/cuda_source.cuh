// Feature maps as kernels of convolution see them: one, or two of one grid whose channels follow each other ("joined").
// On what is loaded from one map a normalisation may be pending.
#pragma once
#include "ops/cuda_pending.cuh"

namespace voxelspark {

// Channels of one map, from some channel on.
template <class T>
struct ChannelRun {
  T* at;  // of voxel 0
  int pitch;

  __device__ T* of(int64_t voxel) const { return at + voxel * pitch; }
};

template <class T>
struct JoinedMap {
  T *first, *second;  // second: null where there is one map
  int first_channels, channels;

  // From a channel on; a run must not go on into the other map.
  __device__ ChannelRun<T> from(int channel) const {
    if (channel < first_channels) return {first + channel, first_channels};
    return {second + (channel - first_channels), channels - first_channels};
  }
  // Whether runs of n channels lie within one map and are aligned as n elements.
  __host__ __device__ bool in_runs_of(int n) const { return first_channels % n == 0 && channels % n == 0; }
};

template <class T>
JoinedMap<T> joined_map(const Tensor& t) {
  const int channels = static_cast<int>(t.layout.channels());
  return {t.as<T>(), static_cast<T*>(t.second), t.first_channels ? static_cast<int>(t.first_channels) : channels,
          channels};
}

template <class T>
struct ChannelSource : JoinedMap<const T> {
  PendingNorm norm;  // of one map
};

template <class T>
ChannelSource<T> channel_source(const Tensor& t) {
  return {joined_map<const T>(t), pending_norm(t)};
}

}  // namespace voxelspark
