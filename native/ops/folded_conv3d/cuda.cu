// The token's constants by place, into an ordinary convolution of `up` or into an empty y, then the sparse part near
// visible blocks. Backward: sums of gy by place make the constant shares of all gradients. See README.md.
#include "ops/conv3d/cuda_convolve.cuh"
#include "ops/conv3d/cuda_engine.h"
#include "ops/folded_conv3d/cuda_near.cuh"
#include "ops/folded_conv3d/cuda_places.cuh"
#include "ops/folded_conv3d/cuda_plan.h"
#include "ops/reduce/cuda_reduce.cuh"
#include "ops/reduce/cuda_splits.cuh"

namespace voxelspark {

namespace {

// sums[tap][k]; a row of the block for each weight vector.
__global__ void tap_sums_kernel(int64_t taps, int64_t outputs, int64_t channels, const float* weight,
                                const float* token, double* sums) {
  SHARED_ARRAY(double, parts, [kRows][kLanes]);
  const Lane at(0);
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kRows + at.row;  // k * taps + tap
  double part = 0;
  for (int64_t c = at.lane; row < taps * outputs && c < channels; c += kLanes)
    part += static_cast<double>(weight[row * channels + c]) * token[c];
  parts[at.row][at.lane] = part;
  __syncthreads();
  if (at.lane != 0 || row >= taps * outputs) return;
  double sum = 0;
  for (int i = 0; i < kLanes; i++) sum += parts[at.row][i];
  const int64_t k = row / taps;
  sums[(row - k * taps) * outputs + k] = sum;
}

struct MakeTable {
  Int3 kernel;
  int64_t outputs;
  const double* tap_sums;
  const float* bias;  // null: none
  float* table;

  __device__ void operator()(int64_t i) const {
    const int64_t place = i / outputs, k = i - place * outputs, taps = kernel.z * kernel.y * kernel.x;
    double sum = bias ? bias[k] : 0;
    for (int64_t tap = 0; tap < taps; tap++)
      if (tap_inside(tap, kernel, place)) sum += tap_sums[tap * outputs + k];
    table[i] = static_cast<float>(sum);
  }
};

// y = the constant of each voxel's place; where y holds the inner one already, the border gets its own.
template <class T, bool kOnBorder>
struct Constants {
  BlockView dest;
  int64_t outputs;
  const float* table;
  T* y;

  template <int V>
  __device__ void run(int64_t voxel, int k) const {
    const int64_t place = place_of(dest.position(voxel), dest.size);
    if (kOnBorder && place == kInner) return;
    Channels<V> value = load<V>(table + place * outputs + k);
    if constexpr (kOnBorder) {
      const Channels<V> inner = load<V>(table + kInner * outputs + k), old = load<V>(y + voxel * outputs + k);
      for (int i = 0; i < V; i++) value.v[i] = old.v[i] + (value.v[i] - inner.v[i]);
    }
    store<V>(y + voxel * outputs + k, value);
  }
};

// partial: [place][split][k]
template <class T, int V>
__global__ void __launch_bounds__(kReduceThreads, 2)
    place_partials(Extent size, int64_t samples, int outputs, const T* gy, double* partial) {
  const Lane at(blockIdx.z);
  const Loads<V> own(blockIdx.z);
  const PlaceBox box(blockIdx.y, size);
  const int64_t voxels = samples * box.extent.product(), split = (voxels + gridDim.x - 1) / gridDim.x;
  const int64_t begin = blockIdx.x * split, end = begin + split < voxels ? begin + split : voxels;
  double sums[1];
  const auto value = [&](int64_t i, Channels<V>(&v)[1]) { v[0] = load<V>(gy + box.voxel(i) * outputs + own.channel); };
  sum_over(at, own, {begin, end}, outputs, value, sums);
  if (at.row == 0 && at.channel < outputs)
    partial[(static_cast<int64_t>(blockIdx.y) * gridDim.x + blockIdx.x) * outputs + at.channel] = sums[0];
}

// Of the outputs whose tap is inside.
struct SumsOfTaps {
  Int3 kernel;
  int64_t outputs;
  const double* places;
  double* taps;

  __device__ void operator()(int64_t i) const {
    const int64_t tap = i / outputs, k = i - tap * outputs;
    double sum = 0;
    for (int64_t place = 0; place < kPlaces; place++)
      if (tap_inside(tap, kernel, place)) sum += places[place * outputs + k];
    taps[i] = sum;
  }
};

struct WeightGradient {
  int64_t taps, outputs, channels;
  const float *swapped, *token;
  const double* sums;
  float* gw;

  __device__ void operator()(int64_t i) const {
    const int64_t row = quotient(i, channels), c = i - row * channels, k = quotient(row, taps), tap = row - k * taps;
    const float own = swapped[(c * taps + taps - 1 - tap) * outputs + k];
    gw[i] = static_cast<float>(own + sums[tap * outputs + k] * token[c]);
  }
};

// partial: [split][c] of weight times the tap's sum; rows are outputs and taps.
__global__ void token_partials(int64_t taps, int64_t outputs, int channels, const float* weight, const double* sums,
                               double* partial) {
  const Lane at(blockIdx.y);
  const bool active = at.channel < channels;
  const int64_t begin = blockIdx.x * ConstantsParts::kRowsOfSplit, rows = taps * outputs;
  const int64_t end = begin + ConstantsParts::kRowsOfSplit < rows ? begin + ConstantsParts::kRowsOfSplit : rows;
  double part = 0;
  for (int64_t row = begin + at.row; active && row < end; row += kRows) {
    const int64_t k = row / taps;
    part += weight[row * channels + at.channel] * sums[(row - k * taps) * outputs + k];
  }
  const double sum = sum_of_rows(at, part);
  if (at.row == 0 && active) partial[blockIdx.x * static_cast<int64_t>(channels) + at.channel] = sum;
}

template <bool kOnBorder>
void add_constants(const Tensor& y, const float* table) {
  by_element(y.layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const int64_t outputs = y.layout.channels();
    const Constants<T, kOnBorder> constants{view_of(y.layout), outputs, table, y.as<T>()};
    launch_channels<T>(y.layout.voxels(), outputs, true, constants, "folded_conv3d_forward");
  });
}

}  // namespace

void folded_conv3d_forward_cuda(const Descriptor& d, const Launch& l) {
  const Tensor s = with_pending(l.inputs, 0, 6, as<FoldedConv>(d).slope), &weight = l.inputs[1], &y = l.outputs[0];
  const char* what = "folded_conv3d_forward";
  const int64_t outputs = y.layout.channels(), taps = kernel_of(weight).product();
  Parts parts(l.workspace);
  const FoldedParts memory(parts, weight.layout);
  LAUNCH_KERNEL(tap_sums_kernel, static_cast<unsigned>((taps * outputs + kRows - 1) / kRows), kReduceThreads, taps,
                outputs, s.layout.channels(), weight.f32(), l.inputs[2].f32(), memory.tap_sums);
  check_cuda(cudaGetLastError(), what);
  const float* bias = present(l.inputs, 3) ? l.inputs[3].f32() : nullptr;
  const MakeTable table{kernel_of(weight), outputs, memory.tap_sums, bias, memory.table};
  launch_elementwise(kPlaces * outputs, table, what);
  const ConvGeometry g = same_size(kernel_of(weight));
  void* scratch = static_cast<char*>(l.workspace) + parts.bytes();  // of one convolution after the other
  if (present(l.inputs, 4)) {
    convolve_cuda(g, false, l.inputs[4], l.inputs[5], {memory.table + kInner * outputs}, y, scratch);
    add_constants<true>(y, memory.table);
  } else {
    add_constants<false>(y, memory.table);
  }
  if (s.layout.blocks() == 0) return;
  if (choose_engine({g, false, s.layout, y.layout}) == ConvEngine::gather) return near_gemm_cuda(s, weight, y);
  convolve_cuda(g, false, s, weight, {nullptr, true}, y, scratch);
}

void folded_conv3d_constants_cuda(const Descriptor&, const Launch& l) {
  const Tensor &gy = l.inputs[0], &weight = l.inputs[1], &token = l.inputs[2];
  const char* what = "folded_conv3d_constants";
  const Int3 kernel = kernel_of(weight);
  const int64_t outputs = gy.layout.channels(), channels = weight.layout.shape[1], taps = kernel.product();
  Parts parts(l.workspace);
  const ConstantsParts memory(parts, gy.layout, weight.layout);
  by_element(gy.layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const dim3 grid(static_cast<unsigned>(memory.splits), kPlaces, channel_tiles(outputs));
    by_vector<T>(outputs, [&](auto vector) {
      LAUNCH_KERNEL((place_partials<T, decltype(vector)::value>), grid, kReduceThreads, extent(gy.layout.shape.size()),
                    gy.layout.shape.samples(), static_cast<int>(outputs), gy.as<T>(), memory.partial);
    });
  });
  check_cuda(cudaGetLastError(), what);
  add_splits(memory.partial, kPlaces, memory.splits, outputs, memory.places, what);
  launch_elementwise(taps * outputs, SumsOfTaps{kernel, outputs, memory.places, memory.taps}, what);
  const WeightGradient gw{taps, outputs, channels, l.inputs[3].f32(), token.f32(), memory.taps, l.outputs[0].f32()};
  launch_elementwise(outputs * taps * channels, gw, what);
  LAUNCH_KERNEL(token_partials, dim3(static_cast<unsigned>(memory.token_splits), channel_tiles(channels)),
                kReduceThreads, taps, outputs, static_cast<int>(channels), weight.f32(), memory.taps, memory.token);
  check_cuda(cudaGetLastError(), what);
  add_splits(memory.token, 1, memory.token_splits, channels, l.outputs[1].f32(), what);
  add_splits(memory.places, 1, kPlaces, outputs, l.outputs[2].f32(), what);
}

}  // namespace voxelspark
