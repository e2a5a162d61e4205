// Statistics of each sample in fixed splits, merged in order by one thread a sample that also works out what the
// transform needs; then one elementwise pass. Gamma does so twice, before and after the values are bent.
#include "ops/intensity/intensity.h"
#include "ops/reduce/cuda_range.cuh"

namespace voxelspark {

namespace {

// Of some voxels, about a pivot near their mean.
struct Statistics {
  double low, high, sum, squares;
};
static_assert(sizeof(Statistics) == IntensityParts::kStatistics * sizeof(double), "as the workspace is laid out");

// What is done to a sample. The pivot of the statistics that come next is `low`.
struct Parameters {
  float a, b, least, most;                          // x <- min(max(a x + b, least), most)
  float sign, low, range, inverse_range, exponent;  // x <- ((sign x - low) inverse_range)^exponent range + low
  double mean, deviation;                           // of sign x at first
};
static_assert(sizeof(Parameters) <= IntensityParts::kParameters * sizeof(double), "as the workspace is laid out");

// The pivot of a sample: its first voxel, or what a pass before found.
struct Samples {
  float* x;
  int64_t voxels, splits, split;
  const Parameters* parameters;  // null: not yet

  __host__ __device__ float* first(int64_t sample) const { return x + sample * voxels; }
  __device__ float pivot(int64_t sample) const { return parameters ? parameters[sample].low : *first(sample); }
};

__global__ void statistics_partials(Samples s, Statistics* partial) {
  const float *x = s.first(blockIdx.y), pivot = s.pivot(blockIdx.y);
  const int64_t begin = blockIdx.x * s.split, end = begin + s.split < s.voxels ? begin + s.split : s.voxels;
  ValueRange range = {x[begin], x[begin]};
  double sum = 0, squares = 0;
  for (int64_t i = begin + threadIdx.x; i < end; i += kReduceThreads) {
    const double v = static_cast<double>(x[i]) - pivot;
    range.add({x[i], x[i]});
    sum += v;
    squares += v * v;
  }
  range = range_of_block(range);
  sum = sum_of_block(sum);
  squares = sum_of_block(squares);
  if (threadIdx.x == 0) partial[blockIdx.y * s.splits + blockIdx.x] = {range.low, range.high, sum, squares};
}

__device__ Statistics merged(const Statistics* partial, int64_t splits) {
  Statistics all = partial[0];
  for (int64_t i = 1; i < splits; i++) {
    if (partial[i].low < all.low) all.low = partial[i].low;
    if (partial[i].high > all.high) all.high = partial[i].high;
    all.sum += partial[i].sum;
    all.squares += partial[i].squares;
  }
  return all;
}

struct Contrast {
  Samples samples;
  const Statistics* partial;
  double factor;
  Parameters* to;

  __device__ void operator()(int64_t sample) const {
    const Statistics s = merged(partial + sample * samples.splits, samples.splits);
    const double mean = Spread(samples.pivot(sample), s.sum, s.squares, samples.voxels).mean;
    to[sample].a = static_cast<float>(factor);
    to[sample].b = static_cast<float>(mean - factor * mean);
    to[sample].least = static_cast<float>(s.low);
    to[sample].most = static_cast<float>(s.high);
  }
};

struct Curve {
  Samples samples;
  const Statistics* partial;
  float exponent;
  bool inverted;
  Parameters* to;

  __device__ void operator()(int64_t sample) const {
    const Statistics s = merged(partial + sample * samples.splits, samples.splits);
    Parameters& p = to[sample];
    p.sign = inverted ? -1.0f : 1.0f;
    const Spread before(p.sign * samples.pivot(sample), p.sign * s.sum, s.squares, samples.voxels);
    p.mean = before.mean;
    p.deviation = before.deviation;
    p.low = static_cast<float>(inverted ? -s.high : s.low);
    p.range = static_cast<float>(s.high) - static_cast<float>(s.low);
    p.inverse_range = 1 / (p.range > kLeastSpread ? p.range : kLeastSpread);
    p.exponent = exponent;
  }
};

struct Bend {
  Samples samples;

  __device__ void operator()(int64_t i) const {
    const Parameters& p = samples.parameters[quotient(i, samples.voxels)];
    const float t = (p.sign * samples.x[i] - p.low) * p.inverse_range;
    samples.x[i] = (t < 1e-37f ? 0.0f : powf(t, p.exponent)) * p.range + p.low;  // the lowest stays exactly that
  }
};

// Back to the mean and deviation of before.
struct Restore {
  Samples samples;
  const Statistics* partial;
  Parameters* to;

  __device__ void operator()(int64_t sample) const {
    const Statistics s = merged(partial + sample * samples.splits, samples.splits);
    Parameters& p = to[sample];
    const Spread after(p.low, s.sum, s.squares, samples.voxels);
    const double below = after.deviation > kLeastSpread ? after.deviation : kLeastSpread;
    const double stretch = p.deviation / below;
    p.a = static_cast<float>(p.sign * stretch);
    p.b = static_cast<float>(p.sign * (p.mean - stretch * after.mean));
    p.least = -INFINITY;
    p.most = INFINITY;
  }
};

struct Line {
  Samples samples;

  __device__ void operator()(int64_t i) const {
    const Parameters& p = samples.parameters[quotient(i, samples.voxels)];
    const float v = samples.x[i] * p.a + p.b, w = v < p.least ? p.least : v;
    samples.x[i] = w > p.most ? p.most : w;
  }
};

struct Scale {
  float* x;
  float factor;
  __device__ void operator()(int64_t i) const { x[i] *= factor; }
};

Samples samples_of(const Launch& l, const Parameters* parameters = nullptr) {
  const int64_t voxels = l.inputs[0].layout.shape.size().product();
  const ElementSplits splits = ElementSplits::of(voxels);
  return {l.inputs[0].f32(), voxels, splits.splits, splits.elements, parameters};
}

// Nothing is left to do for an empty tensor.
bool measure(const Samples& s, int64_t samples, Statistics* partial) {
  if (s.voxels == 0) return false;
  LAUNCH_KERNEL(statistics_partials, dim3(static_cast<unsigned>(s.splits), static_cast<unsigned>(samples)),
                kReduceThreads, s, partial);
  check_cuda(cudaGetLastError(), "the statistics of an intensity transform");
  return true;
}

}  // namespace

void intensity_scale_cuda(const Descriptor& d, const Launch& l) {
  const Scale scale{l.inputs[0].f32(), static_cast<float>(as<IntensityScale>(d).factor)};
  launch_elementwise(l.inputs[0].layout.shape.elements(), scale, "intensity_scale");
}

void intensity_contrast_cuda(const Descriptor& d, const Launch& l) {
  const Shape& shape = l.inputs[0].layout.shape;
  Parts parts(l.workspace);
  const IntensityParts memory(parts, l.inputs[0].layout);
  auto* partial = reinterpret_cast<Statistics*>(memory.partial);
  auto* parameters = reinterpret_cast<Parameters*>(memory.parameters);
  if (!measure(samples_of(l), shape.samples(), partial)) return;
  const Contrast contrast{samples_of(l), partial, as<IntensityContrast>(d).factor, parameters};
  launch_elementwise(shape.samples(), contrast, "intensity_contrast");
  launch_elementwise(shape.elements(), Line{samples_of(l, parameters)}, "intensity_contrast");
}

void intensity_gamma_cuda(const Descriptor& d, const Launch& l) {
  const auto& op = as<IntensityGamma>(d);
  const Shape& shape = l.inputs[0].layout.shape;
  Parts parts(l.workspace);
  const IntensityParts memory(parts, l.inputs[0].layout);
  auto* partial = reinterpret_cast<Statistics*>(memory.partial);
  auto* parameters = reinterpret_cast<Parameters*>(memory.parameters);
  if (!measure(samples_of(l), shape.samples(), partial)) return;
  const Curve curve{samples_of(l), partial, static_cast<float>(op.exponent), op.inverted, parameters};
  launch_elementwise(shape.samples(), curve, "intensity_gamma");
  const Samples samples = samples_of(l, parameters);
  launch_elementwise(shape.elements(), Bend{samples}, "intensity_gamma");
  measure(samples, shape.samples(), partial);
  launch_elementwise(shape.samples(), Restore{samples, partial, parameters}, "intensity_gamma");
  launch_elementwise(shape.elements(), Line{samples}, "intensity_gamma");
}

}  // namespace voxelspark
