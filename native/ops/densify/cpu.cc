#include <cstring>

#include "device/parallel.h"
#include "ops/densify/densify.h"
#include "ops/reduce/columns.h"
#include "ops/reduce/simd.h"

namespace voxelspark {

DEFINE_KERNEL(densify_forward, Densify)
DEFINE_KERNEL(densify_token_gradient, DensifyTokenGradient)

// Every row of y is a sequence of copies, from a block or from a prepared row of tokens.
void densify_forward_cpu(const Descriptor&, const Launch& l) {
  const Tensor &x = l.inputs[0], &y = l.outputs[0];
  const BlockGrid& grid = *x.layout.grid;
  const Int3 size = y.layout.shape.size(), edge = x.layout.edge();
  const int64_t c = y.layout.channels(), row = edge.x * c;
  float* fill = static_cast<float*>(l.workspace);
  const float* token = present(l.inputs, 1) ? l.inputs[1].f32() : nullptr;
  for (int64_t i = 0; i < row; i++) fill[i] = token ? token[i % c] : 0;

  parallel_items(grid.samples * size.z, size.y * size.x * c, [&](int64_t i) {
    const int64_t n = i / size.z, z = i % size.z;
    float* to = y.f32() + i * size.y * size.x * c;
    for (int64_t r = 0; r < size.y; r++) {
      const int32_t* block =
          &grid.block_of[((n * grid.cells.z + z / edge.z) * grid.cells.y + r / edge.y) * grid.cells.x];
      const int64_t inside = (z % edge.z) * edge.y + r % edge.y, rows = edge.z * edge.y;
      for (int64_t k = 0; k < grid.cells.x; k++, to += row)
        std::memcpy(to, block[k] < 0 ? fill : x.f32() + (block[k] * rows + inside) * row, row * sizeof(float));
    }
  });
}

void densify_token_gradient_cpu(const Descriptor& d, const Launch& l) {
  const auto& op = as<DensifyTokenGradient>(d);
  const Tensor &gy = l.inputs[0], &gtoken = l.outputs[0];
  const Int3 size = gy.layout.shape.size(), cells = op.mask->cells, edge = size / cells;
  const int64_t c = gy.layout.channels(), row = edge.x * c, width = column_width(c);
  std::vector<int64_t> masked;
  for (size_t i = 0; i < op.mask->block_of.size(); i++)
    if (op.mask->block_of[i] < 0) masked.push_back(static_cast<int64_t>(i));

  const int64_t cell_elements = edge.product() * c;
  const int64_t grain = cell_elements < kChunkElements ? kChunkElements / cell_elements : 1;
  const int64_t total = static_cast<int64_t>(masked.size()), chunks = (total + grain - 1) / grain;
  std::vector<double> partial(chunks * c);
  auto add_columns = simd_add_columns();
  parallel_ranges(total, grain, [&](int64_t begin, int64_t end) {
    std::vector<double> columns(width);
    for (int64_t i = begin; i < end; i++) {
      const int64_t cell = masked[i] % cells.product(), n = masked[i] / cells.product();
      const Int3 corner = Int3{cell / (cells.y * cells.x), cell / cells.x % cells.y, cell % cells.x} * edge;
      for (int64_t z = 0; z < edge.z; z++)
        for (int64_t y = 0; y < edge.y; y++) {
          const int64_t at = ((n * size.z + corner.z + z) * size.y + corner.y + y) * size.x + corner.x;
          add_columns(gy.f32() + at * c, row, width, columns.data());
        }
    }
    fold_columns(columns.data(), c, &partial[begin / grain * c]);
  });
  for (int64_t k = 0; k < c; k++) {
    double sum = 0;
    for (int64_t i = 0; i < chunks; i++) sum += partial[i * c + k];
    gtoken.f32()[k] = static_cast<float>(sum);
  }
}

}  // namespace voxelspark
