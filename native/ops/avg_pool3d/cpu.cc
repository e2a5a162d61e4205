#include "device/parallel.h"
#include "ops/avg_pool3d/avg_pool3d.h"
#include "ops/avg_pool3d/simd.h"

namespace voxelspark {

DEFINE_KERNEL(avg_pool3d_forward, AvgPool3d)
DEFINE_KERNEL(avg_pool3d_backward, AvgPool3dBackward)

// Calls row(description, offset of the fine row, offset of the coarse row) for every coarse row.
template <class Row>
static void each_row(Int3 kernel, const Layout& fine, const Layout& coarse, const Row& row) {
  const int64_t c = coarse.channels();
  const Int3 e = coarse.edge(), f = fine.edge();
  const PoolRow p{kernel.z, kernel.y, kernel.x, c, f.y * f.x * c, f.x * c, static_cast<float>(1.0 / kernel.product())};
  const int64_t fine_row = f.x * c * kernel.z * kernel.y;
  parallel_items(coarse.blocks() * e.z * e.y, fine_row, [&](int64_t i) {
    const int64_t slab = i / e.y;  // (block, z); fine slabs of a block follow each other as well
    row(p, (slab * kernel.z * f.y + i % e.y * kernel.y) * f.x * c, i * e.x * c);
  });
}

void avg_pool3d_forward_cpu(const Descriptor& d, const Launch& l) {
  const Tensor &x = l.inputs[0], &y = l.outputs[0];
  auto pool = simd_pool_row();
  each_row(as<AvgPool3d>(d).kernel, x.layout, y.layout, [&](const PoolRow& p, int64_t fine, int64_t coarse) {
    pool(p, x.f32() + fine, y.layout.edge().x, y.f32() + coarse);
  });
}

void avg_pool3d_backward_cpu(const Descriptor& d, const Launch& l) {
  const Tensor &gy = l.inputs[0], &gx = l.outputs[0];
  auto spread = simd_spread_row();
  each_row(as<AvgPool3d>(d).kernel, gx.layout, gy.layout, [&](const PoolRow& p, int64_t fine, int64_t coarse) {
    spread(p, gy.f32() + coarse, gy.layout.edge().x, gx.f32() + fine);
  });
}

}  // namespace voxelspark
