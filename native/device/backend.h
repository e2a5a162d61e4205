// A device as the runtime sees it: memory, copies, and waiting. Arithmetic is found through the kernel registry.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "core/block_grid.h"
#include "core/pool.h"

namespace voxelspark {

// reference: naive float32 / float64 oracle on the CPU, for tests. null: shapes and memory accounting only.
enum class DeviceKind : int { cpu = 0, reference = 1, null = 2, cuda = 3 };
constexpr int kDeviceKinds = 4;

constexpr int64_t kSmallCopy = 1 << 14;  // bytes

// What the queue does with memory that is not the host's, in the order of its kernels.
struct Transfers {
  void (*copy_in)(void* device, const void* host, int64_t bytes);
  void (*copy_out)(void* host, const void* device, int64_t bytes);
  // At most kSmallCopy bytes; finished on any thread, once.
  void* (*begin_read)(const void* device, int64_t bytes);
  void (*finish_read)(void* read, void* host);
  void (*fill)(void* device, const void* element, int64_t element_bytes, int64_t elements);
};

// Launches of the queue that become one: see cuda_graph.cuh.
struct Graphs {
  void (*begin)();
  void* (*end)();
  void (*abort)();
  void (*launch)(void* graph);
  void (*free)(void* graph);
  // Brings the tables of a grid whose cells changed to where the device has them.
  void (*refresh)(const std::shared_ptr<const BlockGrid>& grid);
};

struct Backend {
  const char* name;
  bool on_host;  // whether its memory can be read and written directly; it has no transfers and no graphs then
  MemoryApi memory;
  void (*synchronize)();  // with what the calling thread, that of a queue, has launched
  Transfers transfers = {};
  Graphs graphs = {};
};

extern const Backend cpu_backend, null_backend;

// What the separately built CUDA shared object exports through the C function `voxelspark_cuda_backend`.
struct CudaBackend {
  uint64_t abi;  // VOXELSPARK_ABI: a fingerprint of the headers, so that only objects of the same sources meet
  Backend backend;
  int (*device_count)();
  const char* (*reason)();  // why device_count is 0, in words
  const char* (*device_name)(int device);
  void* (*find_kernel)(const char* name);  // a Kernel, or null
};

// Opens the shared object once; afterwards `cuda_backend()` is it, or null with `cuda_reason()` saying why. The driver
// is not asked before somebody wants to know of devices: waking a GPU takes time that work on the CPU need not wait
// for.
void open_cuda(const std::string& path);
const CudaBackend* cuda_backend();
std::string cuda_reason();

// Throws DEVICE with reason and cure when the device cannot be used.
const Backend& backend_of(DeviceKind kind);

}  // namespace voxelspark
