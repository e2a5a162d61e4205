// One launch a part: its rows of channels go to or come from their place in the joined rows.
#include "device/cuda.cuh"
#include "ops/concat/concat.h"

namespace voxelspark {

namespace {

template <class T>
struct Move {
  int64_t from_row, to_row;  // elements
  const T* from;
  T* to;

  template <int V>
  __device__ void run(int64_t voxel, int c) const {
    store<V>(to + voxel * to_row + c, load<V>(from + voxel * from_row + c));
  }
};

}  // namespace

template <class T>
static void move_parts(const std::vector<Tensor>& parts, const Tensor& joined, bool join, const char* what) {
  const int64_t all = joined.layout.channels();
  int64_t offset = 0;
  for (const Tensor& part : parts) {
    const int64_t c = part.layout.channels();
    const bool wide = all % kVector<T> == 0 && offset % kVector<T> == 0;
    T* at = joined.as<T>() + offset;
    const Move<T> move = join ? Move<T>{c, all, part.as<T>(), at} : Move<T>{all, c, at, part.as<T>()};
    launch_channels<T>(part.layout.voxels(), c, wide, move, what);
    offset += c;
  }
}

static void each_part(const std::vector<Tensor>& parts, const Tensor& joined, bool join, const char* what) {
  by_element(joined.layout.dtype, [&](auto zero) { move_parts<decltype(zero)>(parts, joined, join, what); });
}

void concat_forward_cuda(const Descriptor&, const Launch& l) {
  each_part(l.inputs, l.outputs[0], true, "concat_forward");
}

void concat_backward_cuda(const Descriptor&, const Launch& l) {
  each_part(l.outputs, l.inputs[0], false, "concat_backward");
}

}  // namespace voxelspark
