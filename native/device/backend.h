// A device as the runtime sees it: memory, copies, and waiting. Arithmetic is found through the kernel registry.
#pragma once
#include <cstdint>
#include <string>

#include "core/pool.h"

namespace voxelspark {

// reference: naive float32 / float64 oracle on the CPU, for tests. null: shapes and memory accounting only.
enum class DeviceKind : int { cpu = 0, reference = 1, null = 2, cuda = 3 };
constexpr int kDeviceKinds = 4;

struct Backend {
  const char* name;
  bool on_host;  // whether its memory can be read and written directly
  MemoryApi memory;
  void (*copy_in)(void* device, const void* host, int64_t bytes);
  void (*copy_out)(void* host, const void* device, int64_t bytes);
  void (*synchronize)();
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

// Opens the shared object once; afterwards `cuda_backend()` is it, or null with `cuda_reason()` saying why.
void open_cuda(const std::string& path);
const CudaBackend* cuda_backend();
std::string cuda_reason();

// Throws DEVICE with reason and cure when the device cannot be used.
const Backend& backend_of(DeviceKind kind);

}  // namespace voxelspark
