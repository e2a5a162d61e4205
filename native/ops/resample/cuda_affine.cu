// Forward: prefilter as banded matrices, then every output voxel gathers its taps. Backward: every input voxel gathers
// from the outputs that read it, in their order, then the filters' transposes. No atomics either way.
#include "ops/resample/cuda_affine.cuh"
#include "ops/resample/cuda_band.cuh"

namespace voxelspark {

namespace {

// One sample; x are samples, or spline coefficients for order 3.
template <int kOrder>
struct Interpolate {
  AffineView view;
  BlockView output;
  int64_t channels;
  const float* x;
  float outside;
  float* y;

  template <int V>
  __device__ void run(int64_t voxel, int c) const {
    constexpr int kTaps = AxisRead<kOrder>::kTaps;
    AxisRead<kOrder> az, ay, ax;
    const bool inside = view.read(output.position(voxel), az, ay, ax);
    Channels<V> sum = {};
#pragma unroll
    for (int z = 0; z < kTaps; z++)
#pragma unroll
      for (int y = 0; y < kTaps; y++) {
        const int64_t row = (static_cast<int64_t>(az.at[z]) * view.from.y + ay.at[y]) * view.from.x;
        const float weight = az.weight[z] * ay.weight[y];
        Channels<V> line = {};
#pragma unroll
        for (int k = 0; k < kTaps; k++) {
          const Channels<V> value = load<V>(x + (row + ax.at[k]) * channels + c);
          for (int i = 0; i < V; i++) line.v[i] += ax.weight[k] * value.v[i];
        }
        for (int i = 0; i < V; i++) sum.v[i] += weight * line.v[i];
      }
    for (int i = 0; i < V; i++) sum.v[i] = inside ? sum.v[i] : outside;
    store<V>(y + voxel * channels + c, sum);
  }
};

template <int kOrder>
struct Collect {
  AffineReaders readers;
  BlockView input, output;
  int64_t channels;
  const float* gy;
  float* gx;

  template <int V>
  __device__ void run(int64_t voxel, int c) const {
    const Voxel v = input.position(voxel);
    const Span zs = readers.along(0, v), ys = readers.along(1, v), xs = readers.along(2, v);
    double total[V] = {};
    AxisRead<kOrder> az, ay, ax;
    for (int z = zs.first; z <= zs.last; z++)
      for (int y = ys.first; y <= ys.last; y++) {
        const Span row = readers.in_row(xs, z, y, v);
        for (int x = row.first; x <= row.last; x++) {
          const Voxel p{0, z, y, x};
          if (!readers.view.read(p, az, ay, ax)) continue;
          const float weight = az.weight_of(v.z) * ay.weight_of(v.y) * ax.weight_of(v.x);
          if (weight == 0) continue;
          const Channels<V> g = load<V>(gy + output.find(p) * channels + c);
          for (int i = 0; i < V; i++) total[i] += static_cast<double>(weight) * g.v[i];
        }
      }
    Channels<V> sum;
    for (int i = 0; i < V; i++) sum.v[i] = static_cast<float>(total[i]);
    store<V>(gx + voxel * channels + c, sum);
  }
};

template <class Body>
void by_order(int64_t order, const Body& body) {
  if (order == 0) body(std::integral_constant<int, 0>{});
  else if (order == 1) body(std::integral_constant<int, 1>{});
  else body(std::integral_constant<int, 3>{});
}

// All axes of a volume filtered, from `x` by way of a and b to `to`, which may be a.
void filter(bool adjoint, int64_t samples, int64_t channels, Int3 size, const AffineParts& memory, const float* x,
            float* a, float* b, float* to, const char* what) {
  int64_t n[3];
  sizes_of(size, n);
  float* const out[3] = {a, b, to};
  for (int axis = 0; axis < 3; axis++) {
    const auto entries = filter_entries(n[axis]);
    const Band band(n[axis], n[axis], adjoint ? transposed(entries) : entries);
    apply_band(band, memory.bands[axis], lines_of(samples, channels, n, axis), axis ? out[axis - 1] : x, out[axis],
               what);
  }
}

}  // namespace

void resample_affine_cuda(const Descriptor& descriptor, const Launch& l) {
  const auto& op = as<ResampleAffine>(descriptor);
  const Shape& s = l.inputs[0].layout.shape;
  const char* what = "resample_affine";
  Parts parts(l.workspace);
  const AffineParts memory(parts, op.order, s.samples(), s.channels(), s.size());
  float *const a = memory.volume[0], *const b = memory.volume[1];
  if (op.order == 3) filter(false, s.samples(), s.channels(), s.size(), memory, l.inputs[0].f32(), a, b, a, what);
  const float* x = op.order == 3 ? a : l.inputs[0].f32();
  const int64_t volume = s.size().product() * s.channels(), resized = op.size.product() * s.channels();
  for (int64_t n = 0; n < s.samples(); n++)
    by_order(op.order, [&](auto order) {
      const Interpolate<order.value> body{affine_view(op.matrix_of(n), s.size(), op.size),
                                          view_of(nullptr, op.size),
                                          s.channels(),
                                          x + n * volume,
                                          static_cast<float>(op.outside),
                                          l.outputs[0].f32() + n * resized};
      launch_channels(op.size.product(), s.channels(), true, body, what);
    });
}

void resample_affine_backward_cuda(const Descriptor& descriptor, const Launch& l) {
  const auto& op = as<ResampleAffineBackward>(descriptor);
  const Shape& s = l.inputs[0].layout.shape;
  const char* what = "resample_affine_backward";
  Parts parts(l.workspace);
  const AffineParts memory(parts, op.order, s.samples(), s.channels(), op.from);
  float *const a = memory.volume[0], *const b = memory.volume[1], *const gx = l.outputs[0].f32();
  float* const collected = op.order == 3 ? a : gx;
  const int64_t volume = op.from.product() * s.channels(), resized = s.size().product() * s.channels();
  for (int64_t n = 0; n < s.samples(); n++)
    by_order(op.order, [&](auto order) {
      const Collect<order.value> body{readers_of(affine_view(op.matrix_of(n), op.from, s.size()), op.order),
                                      view_of(nullptr, op.from),
                                      view_of(nullptr, s.size()),
                                      s.channels(),
                                      l.inputs[0].f32() + n * resized,
                                      collected + n * volume};
      launch_channels(op.from.product(), s.channels(), true, body, what);
    });
  if (op.order == 3) filter(true, s.samples(), s.channels(), op.from, memory, a, b, a, gx, what);
}

}  // namespace voxelspark
