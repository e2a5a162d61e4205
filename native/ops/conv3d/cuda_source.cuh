// Where kernels of convolution load channels: from one map, on which a normalisation may be pending, or from two maps
// of one grid whose channels follow each other.
#pragma once
#include "ops/cuda_pending.cuh"

namespace voxelspark {

// Runs of channels of one map: of voxel v they start at `at + v * pitch`.
template <class T>
struct ChannelRun {
  const T* at;
  int pitch;
};

template <class T>
struct ChannelSource {
  const T *first, *second;  // second: null where there is one map
  int first_channels, channels;
  PendingNorm norm;  // of one map

  // From a channel on; it must not go on into the other map.
  __device__ ChannelRun<T> from(int channel) const {
    if (channel < first_channels) return {first + channel, first_channels};
    return {second + (channel - first_channels), channels - first_channels};
  }
};

template <class T>
ChannelSource<T> channel_source(const Tensor& t) {
  const int channels = static_cast<int>(t.layout.channels());
  return {t.as<T>(), static_cast<const T*>(t.second), t.second ? static_cast<int>(t.first_channels) : channels,
          channels, pending_norm(t)};
}

}  // namespace voxelspark
