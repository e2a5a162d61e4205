#include "ops/folded_conv3d/place_sums.h"

#include "device/parallel.h"
#include "ops/folded_conv3d/folded_conv3d.h"
#include "ops/reduce/columns.h"
#include "ops/reduce/simd.h"

namespace voxelspark {

namespace {

// Sums of one plane of voxels: sums[place of y][place of x][k].
struct Plane {
  const float* data;
  int64_t rows, length, k;

  int64_t last_step() const { return length > 1 ? length - 1 : 1; }  // from the first of a row to its last
  const float* voxel(int64_t y, int64_t x) const { return data + (y * length + x) * k; }
  void add(double* sums) const {
    const int64_t width = column_width(k);
    std::vector<double> columns(width), total(k);
    const int64_t inner = rows > 2 ? rows - 2 : 0;
    const int64_t first[3] = {0, 1, rows - 1}, count[3] = {1, inner, rows > 1 ? 1 : 0};
    for (int64_t p = 0; p < 3; p++, sums += 3 * k) {
      if (!count[p]) continue;
      columns.assign(width, 0);
      simd_add_columns()(voxel(first[p], 0), count[p] * length * k, width, columns.data());
      fold_columns(columns.data(), k, total.data());
      for (int64_t y = first[p]; y < first[p] + count[p]; y++)
        for (int64_t x = 0; x < length; x += last_step()) {
          const float* v = voxel(y, x);
          for (int64_t i = 0; i < k; i++) sums[place_on(x, length) * k + i] += v[i];
        }
      for (int64_t i = 0; i < k; i++) sums[k + i] = total[i] - sums[i] - sums[2 * k + i];
    }
  }
};

}  // namespace

std::vector<double> place_sums(const Tensor& t) {
  const Int3 size = t.layout.shape.size();
  const int64_t k = t.layout.channels(), planes = t.layout.shape.samples() * size.z, plane = size.y * size.x * k;
  std::vector<double> partial(planes * 9 * k), sums(kPlaces * k);
  parallel_items(planes, plane, [&](int64_t i) {
    Plane{t.f32() + i * plane, size.y, size.x, k}.add(&partial[i * 9 * k]);
  });
  for (int64_t i = 0; i < planes; i++) {
    double* to = &sums[place_on(i % size.z, size.z) * 9 * k];
    for (int64_t j = 0; j < 9 * k; j++) to[j] += partial[i * 9 * k + j];
  }
  return sums;
}

}  // namespace voxelspark
