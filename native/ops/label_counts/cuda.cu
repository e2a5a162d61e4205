// Every region on its own: voxels are counted in fixed splits, which are added in order. Integers, so exact.
#include "ops/label_counts/cuda_labels.cuh"
#include "ops/reduce/cuda_reduce.cuh"

namespace voxelspark {

namespace {

struct Volumes {
  RegionBits regions;  // the first one
  const float *prediction, *reference;
  int64_t voxels, splits, split;
};

// partial: [region][split][TP, FP, FN, TN, invalid in prediction, in reference]
__global__ void count_partials(Volumes v, int32_t* partial) {
  RegionBits region = v.regions;
  region.words += blockIdx.y * CountParts::kWords;
  const int64_t begin = blockIdx.x * v.split, end = begin + v.split < v.voxels ? begin + v.split : v.voxels;
  int32_t both = 0, predicted = 0, wanted = 0, neither = 0, invalid = 0, invalid_reference = 0;
  for (int64_t i = begin + threadIdx.x; i < end; i += kReduceThreads) {
    const float r = v.reference[i];
    const int a = label_of(v.prediction[i]), b = label_of(r);
    invalid += a < 0;
    invalid_reference += b < 0;
    if (!region.counts(r)) continue;
    const bool p = region.holds(a), q = region.holds(b);
    both += p && q;
    predicted += p && !q;
    wanted += !p && q;
    neither += !p && !q;
  }
  int32_t* to = partial + (blockIdx.y * v.splits + blockIdx.x) * CountParts::kCounts;
  const auto put = [&](int at, int32_t value) {
    const double sum = sum_of_block(value);  // exact
    if (threadIdx.x == 0) to[at] = static_cast<int32_t>(sum);
  };
  put(0, both);
  put(1, predicted);
  put(2, wanted);
  put(3, neither);
  put(4, invalid);
  put(5, invalid_reference);
}

struct AddCounts {
  const int32_t* partial;
  int64_t splits;
  float *counts, *invalid;

  __device__ void operator()(int64_t i) const {
    const int64_t region = i / CountParts::kCounts, at = i - region * CountParts::kCounts;
    int64_t sum = 0;
    for (int64_t s = 0; s < splits; s++) sum += partial[(region * splits + s) * CountParts::kCounts + at];
    if (at < 4) put_count(sum, counts + (region * 4 + at) * 2);
    else if (region == 0) put_count(sum, invalid + (at - 4) * 2);  // the same for all regions
  }
};

}  // namespace

void label_counts_cuda(const Descriptor& d, const Launch& l) {
  const Regions& regions = as<LabelCounts>(d).regions;
  const int64_t voxels = l.inputs[0].layout.voxels();
  const ElementSplits splits = ElementSplits::of(voxels);
  Parts parts(l.workspace);
  const CountParts memory(parts, regions.count(), voxels);
  upload(region_bits(regions), memory.bits, "a copy of the regions");
  const Volumes volumes{
      region_of(regions, memory.bits, 0), l.inputs[0].f32(), l.inputs[1].f32(), voxels, splits.splits, splits.elements};
  LAUNCH_KERNEL(count_partials, dim3(static_cast<unsigned>(splits.splits), static_cast<unsigned>(regions.count())),
                kReduceThreads, volumes, memory.partial);
  check_cuda(cudaGetLastError(), "label_counts");
  const AddCounts add{memory.partial, splits.splits, l.outputs[0].f32(), l.outputs[1].f32()};
  launch_elementwise(regions.count() * CountParts::kCounts, add, "label_counts");
}

}  // namespace voxelspark
