#include "device/parallel.h"
#include "ops/gaussian_noise/gaussian_noise.h"
#include "ops/gaussian_noise/simd.h"

namespace voxelspark {

DEFINE_KERNEL(gaussian_noise, GaussianNoise)

void gaussian_noise_cpu(const Descriptor& d, const Launch& l) {
  const auto& op = as<GaussianNoise>(d);
  if (op.sigma == 0) return;
  const Tensor& x = l.inputs[0];
  const int64_t voxels = x.layout.shape.size().product();
  const auto word = [](int64_t v) { return static_cast<uint32_t>(v); };
  const NoiseStream stream = {{word(op.seed), word(op.seed >> 32)}, word(op.step), word(op.index), word(op.purpose)};
  auto add = simd_add_normals();
  constexpr int64_t kGrain = 1 << 14;
  for (int64_t n = 0; n < x.layout.shape.samples(); n++)
    parallel_ranges(voxels, kGrain, [&](int64_t begin, int64_t end) {
      add(stream, begin / 4, static_cast<float>(op.sigma), x.f32() + n * voxels + begin, end - begin);
    });
}

}  // namespace voxelspark
