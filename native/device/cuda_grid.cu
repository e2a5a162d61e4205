#include <map>
#include <mutex>
#include <vector>

#include "device/cuda_grid.cuh"

namespace voxelspark {

namespace {

// Tables of one grid: block_of, cell_of, first_block.
struct Entry {
  std::weak_ptr<const BlockGrid> grid;
  int32_t* tables;
};

// Never destroyed: at process exit the driver may be gone before it.
struct Cache {
  std::mutex mutex;  // JavaScript environments share the device
  std::map<const BlockGrid*, Entry> entries;
};

Cache& cache() {
  static Cache* all = new Cache;
  return *all;
}

int32_t* upload(const BlockGrid& grid) {
  std::vector<int32_t> host(grid.block_of);
  host.insert(host.end(), grid.cell_of.begin(), grid.cell_of.end());
  host.insert(host.end(), grid.first_block.begin(), grid.first_block.end());
  void* device = nullptr;
  const size_t bytes = host.size() * sizeof(int32_t);
  if (cudaMallocAsync(&device, bytes, nullptr) == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // the device is not broken
    throw Failure("OUT_OF_MEMORY", "out of memory: no " + std::to_string(bytes) + " bytes for the tables of a mask");
  }
  check_cuda(cudaMemcpy(device, host.data(), bytes, cudaMemcpyHostToDevice), "a copy of a mask to the device");
  return static_cast<int32_t*>(device);
}

}  // namespace

// Memory is freed in stream order, after the last kernel that was queued with it.
static const int32_t* tables_of(const std::shared_ptr<const BlockGrid>& grid) {
  std::lock_guard<std::mutex> lock(cache().mutex);
  auto& entries = cache().entries;
  for (auto e = entries.begin(); e != entries.end();) {
    if (!e->second.grid.expired()) {
      ++e;
      continue;
    }
    check_cuda(cudaFreeAsync(e->second.tables, nullptr), "freeing the tables of a mask");
    e = entries.erase(e);
  }
  auto found = entries.find(grid.get());
  if (found == entries.end()) found = entries.emplace(grid.get(), Entry{grid, upload(*grid)}).first;
  return found->second.tables;
}

BlockView view_of(const std::shared_ptr<const BlockGrid>& grid, Int3 size) {
  if (!grid) return {nullptr, nullptr, nullptr, extent(size), extent(size), {1, 1, 1}};
  const int32_t *block_of = tables_of(grid), *cell_of = block_of + grid->block_of.size();
  const int32_t* first_block = cell_of + grid->cell_of.size();
  return {block_of, cell_of, first_block, extent(size), extent(size / grid->cells), extent(grid->cells)};
}

BlockView view_of(const Layout& layout) { return view_of(layout.grid, layout.shape.size()); }

}  // namespace voxelspark
