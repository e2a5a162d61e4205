#include <cmath>

#include "ops/gaussian_noise/gaussian_noise.h"

namespace voxelspark {

namespace {

struct Words {
  uint32_t w[4];
};

// Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (SC11)
Words philox(Words c, uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; round++) {
    const uint64_t p = uint64_t{0xd2511f53u} * c.w[0], q = uint64_t{0xcd9e8d57u} * c.w[2];
    c = {{static_cast<uint32_t>(q >> 32) ^ c.w[1] ^ k0, static_cast<uint32_t>(q),
          static_cast<uint32_t>(p >> 32) ^ c.w[3] ^ k1, static_cast<uint32_t>(p)}};
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  return c;
}

double normal(const GaussianNoise& op, int64_t i) {
  const auto word = [](int64_t v) { return static_cast<uint32_t>(v); };
  const Words random =
      philox({{word(i / 4), word(op.step), word(op.index), word(op.purpose)}}, word(op.seed), word(op.seed >> 32));
  const uint32_t* pair = random.w + (i % 4) / 2 * 2;
  const double radius = std::sqrt(-2 * std::log((pair[0] + 0.5) / 4294967296.0));
  const double angle = 2 * 3.14159265358979323846 * (pair[1] / 4294967296.0);
  return radius * (i % 2 ? std::sin(angle) : std::cos(angle));
}

}  // namespace

void gaussian_noise_reference(const Descriptor& d, const Launch& l) {
  const auto& op = as<GaussianNoise>(d);
  const Layout& layout = l.inputs[0].layout;
  const int64_t voxels = layout.shape.size().product();
  by_dtype(layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    T* x = l.inputs[0].as<T>();
    for (int64_t i = 0; i < layout.shape.elements(); i++) x[i] += static_cast<T>(op.sigma * normal(op, i % voxels));
  });
}

}  // namespace voxelspark
