// Axis by axis, each an application of a banded matrix that holds prefilter and interpolation at once. Ranges to clip
// to are found in fixed splits.
#include "ops/reduce/cuda_range.cuh"
#include "ops/resample/cuda_band.cuh"

namespace voxelspark {

namespace {

// partial: [group][split]
__global__ void range_partials(Slices slices, int64_t splits, int64_t split, const float* x, ValueRange* partial) {
  const int64_t group = blockIdx.x / splits, begin = (blockIdx.x - group * splits) * split;
  const int64_t voxels = slices.voxels(), end = begin + split < voxels ? begin + split : voxels;
  ValueRange range = {INFINITY, -INFINITY};
  for (int64_t i = begin + threadIdx.x; i < end; i += kReduceThreads) {
    const float v = x[slices.element(group, i)];
    range.add({v, v});
  }
  range = range_of_block(range);
  if (threadIdx.x == 0) partial[blockIdx.x] = range;
}

struct MergeRanges {
  const ValueRange* partial;
  int64_t splits;
  ValueRange* ranges;

  __device__ void operator()(int64_t group) const {
    ValueRange all = partial[group * splits];
    for (int64_t s = 1; s < splits; s++) all.add(partial[group * splits + s]);
    ranges[group] = all;
  }
};

struct Clip {
  Slices slices;
  const ValueRange* ranges;
  float* x;

  __device__ void operator()(int64_t i) const {
    const ValueRange range = ranges[slices.group_of(i)];
    const float v = x[i] < range.low ? range.low : x[i];
    x[i] = v > range.high ? range.high : v;
  }
};

void find_ranges(const Slices& slices, const float* x, const RangeParts& memory) {
  const ElementSplits splits = ElementSplits::of(slices.voxels());
  auto* partial = reinterpret_cast<ValueRange*>(memory.partial);
  LAUNCH_KERNEL(range_partials, static_cast<unsigned>(slices.groups() * splits.splits), kReduceThreads, slices,
                splits.splits, splits.elements, x, partial);
  check_cuda(cudaGetLastError(), "resample_separable");
  const MergeRanges merge{partial, splits.splits, reinterpret_cast<ValueRange*>(memory.ranges)};
  launch_elementwise(slices.groups(), merge, "resample_separable");
}

}  // namespace

void resample_separable_cuda(const Descriptor& descriptor, const Launch& l) {
  const auto& op = as<ResampleSeparable>(descriptor);
  const Shape& s = l.inputs[0].layout.shape;
  const Passes passes(op, s.size());
  const float* x = l.inputs[0].f32();
  float* const y = l.outputs[0].f32();
  if (passes.count == 0) return launch_elementwise(s.elements(), CopyElements{x, y}, "resample_separable");
  Parts parts(l.workspace);
  const SeparableParts memory(parts, op, s);
  int64_t now[3], to[3];
  sizes_of(s.size(), now);
  sizes_of(op.size, to);
  const int64_t orders[3] = {op.order.z, op.order.y, op.order.x};
  bool clips = op.clip;
  if (clips) find_ranges(Slices::of(s.samples(), s.channels(), s.size(), op.clip_axis), x, memory.clip);
  for (int p = 0; p < passes.count; p++) {
    const int axis = passes.axis[p];
    float* const out = p + 1 == passes.count ? y : memory.half[p & 1];
    const Band band(to[axis], now[axis], resize_entries(now[axis], to[axis], orders[axis]));
    apply_band(band, memory.bands[p], lines_of(s.samples(), s.channels(), now, axis), x, out, "resample_separable");
    now[axis] = to[axis];
    x = out;
    const bool last = p + 1 == passes.count || passes.axis[p + 1] == op.clip_axis;
    if (!clips || !last || axis == op.clip_axis) continue;
    clips = false;
    const Int3 size{now[0], now[1], now[2]};
    const Slices slices = Slices::of(s.samples(), s.channels(), size, op.clip_axis);
    const Clip clip{slices, reinterpret_cast<const ValueRange*>(memory.clip.ranges), out};
    launch_elementwise(s.samples() * s.channels() * size.product(), clip, "resample_separable");
  }
}

void resample_separable_backward_cuda(const Descriptor& descriptor, const Launch& l) {
  const auto& op = as<ResampleSeparableBackward>(descriptor);
  const Shape& s = l.inputs[0].layout.shape;
  Parts parts(l.workspace);
  const SeparableBackwardParts memory(parts, op, l.inputs);
  int64_t now[3], to[3];
  sizes_of(s.size(), now);
  sizes_of(op.from, to);
  const int64_t orders[3] = {op.order.z, op.order.y, op.order.x};
  int left = 0;
  for (int a = 0; a < 3; a++) left += now[a] != to[a];
  const float* g = l.inputs[0].f32();
  float* const gx = l.outputs[0].f32();
  if (left == 0) launch_elementwise(s.elements(), CopyElements{g, gx}, "resample_separable_backward");
  for (int axis = 0; axis < 3; axis++) {
    if (now[axis] == to[axis]) continue;
    float* const out = --left ? memory.half[left & 1] : gx;
    const Band band(to[axis], now[axis], transposed(resize_entries(to[axis], now[axis], orders[axis])));
    const Lines lines = lines_of(s.samples(), s.channels(), now, axis);
    apply_band(band, memory.bands[axis], lines, g, out, "resample_separable_backward");
    now[axis] = to[axis];
    g = out;
  }
}

}  // namespace voxelspark
