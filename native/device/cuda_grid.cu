#include <map>
#include <vector>

#include "device/cuda_graph.cuh"
#include "device/cuda_grid.cuh"
#include "device/cuda_transfer.cuh"

namespace voxelspark {

namespace {

// Tables of one grid: block_of, cell_of, first_block.
struct Entry {
  std::weak_ptr<const BlockGrid> grid;
  int32_t* tables;
  size_t bytes;
};

// A power of two, so that masks whose numbers differ a little take turns with the same memory.
size_t rounded(size_t bytes) {
  size_t size = 4096;
  while (size < bytes) size *= 2;
  return size;
}

// Of the grids of one thread. Memory that the last kernel of a grid was queued with serves the next grid at once, since
// both run in the order of the thread's stream; so masks that change with every step allocate nothing.
struct Cache {
  std::map<const BlockGrid*, Entry> entries;
  std::multimap<size_t, int32_t*> spare;  // by size

  ~Cache() {
    cudaStreamSynchronize(cudaStreamPerThread);
    for (auto& [grid, entry] : entries) cudaFree(entry.tables);
    for (auto& [size, memory] : spare) cudaFree(memory);
  }
  void free_unused() {
    for (auto e = entries.begin(); e != entries.end();) {
      if (!e->second.grid.expired()) {
        ++e;
        continue;
      }
      spare.emplace(e->second.bytes, e->second.tables);
      e = entries.erase(e);
    }
  }
  int32_t* take(size_t bytes) {
    if (const auto found = spare.find(bytes); found != spare.end()) return spare.extract(found).mapped();
    void* memory = nullptr;
    check_cuda(cudaMalloc(&memory, bytes), "making room for the tables of a mask");
    return static_cast<int32_t*>(memory);
  }
};

Cache& cache() {
  thread_local Cache mine;
  return mine;
}

std::vector<int32_t> tables_on_host(const BlockGrid& grid) {
  std::vector<int32_t> host(grid.block_of);
  host.insert(host.end(), grid.cell_of.begin(), grid.cell_of.end());
  host.insert(host.end(), grid.first_block.begin(), grid.first_block.end());
  return host;
}

void upload(const BlockGrid& grid, int32_t* tables) {
  const std::vector<int32_t> host = tables_on_host(grid);
  copy_to_device(tables, host.data(), static_cast<int64_t>(host.size() * sizeof(int32_t)));
}

Entry make_tables(const std::shared_ptr<const BlockGrid>& grid) {
  refuse_in_capture("a mask that is new");
  const size_t bytes = rounded(tables_on_host(*grid).size() * sizeof(int32_t));
  const Entry entry{grid, cache().take(bytes), bytes};
  upload(*grid, entry.tables);
  return entry;
}

int32_t* tables_of(const std::shared_ptr<const BlockGrid>& grid) {
  auto& entries = cache().entries;
  if (!capturing()) cache().free_unused();
  auto found = entries.find(grid.get());
  if (found != entries.end() && found->second.grid.expired()) refuse_in_capture("a mask that is new");
  if (found == entries.end()) found = entries.emplace(grid.get(), make_tables(grid)).first;
  return found->second.tables;
}

}  // namespace

// Tables that are made now are new already.
void refresh_tables(const std::shared_ptr<const BlockGrid>& grid) {
  const bool exist = cache().entries.count(grid.get()) && !cache().entries.at(grid.get()).grid.expired();
  int32_t* tables = tables_of(grid);
  if (exist) upload(*grid, tables);
}

BlockView view_of(const std::shared_ptr<const BlockGrid>& grid, Int3 size) {
  if (!grid) return {nullptr, nullptr, nullptr, extent(size), extent(size), {1, 1, 1}};
  const int32_t *block_of = tables_of(grid), *cell_of = block_of + grid->block_of.size();
  const int32_t* first_block = cell_of + grid->cell_of.size();
  return {block_of, cell_of, first_block, extent(size), extent(size / grid->cells), extent(grid->cells)};
}

BlockView view_of(const Layout& layout) { return view_of(layout.grid, layout.shape.size()); }

}  // namespace voxelspark
