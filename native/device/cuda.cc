#include <dlfcn.h>

#include <mutex>

#include "core/status.h"
#include "device/backend.h"
#include "voxelspark_abi.h"

namespace voxelspark {

// Shared by every JavaScript environment of the process.
static std::mutex opening;
static const CudaBackend* opened = nullptr;
static std::string reason = "the CUDA backend was not built: install nvcc and cmake, then run `npm rebuild voxelspark`";

void open_cuda(const std::string& path) {
  std::lock_guard<std::mutex> lock(opening);
  if (opened) return;
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library) {
    reason = std::string("the CUDA backend could not be loaded: ") + dlerror();
    return;
  }
  auto get = reinterpret_cast<const CudaBackend* (*)()>(dlsym(library, "voxelspark_cuda_backend"));
  const CudaBackend* candidate = get ? get() : nullptr;
  if (!candidate || candidate->abi != VOXELSPARK_ABI) {
    reason = "the CUDA backend at " + path + " was built from other sources: run `npm rebuild voxelspark`";
    return;
  }
  opened = candidate;
}

const CudaBackend* cuda_backend() {
  std::lock_guard<std::mutex> lock(opening);
  return opened;
}

std::string cuda_reason() {
  const CudaBackend* cuda = cuda_backend();
  if (cuda) return cuda->device_count() > 0 ? "" : cuda->reason();
  std::lock_guard<std::mutex> lock(opening);
  return reason;
}

const Backend& backend_of(DeviceKind kind) {
  if (kind == DeviceKind::null) return null_backend;
  if (kind != DeviceKind::cuda) return cpu_backend;
  const CudaBackend* cuda = cuda_backend();
  require(cuda && cuda->device_count() > 0, "DEVICE",
          "device 'cuda' cannot be used: " + cuda_reason() + "; device 'cpu' works");
  return cuda->backend;
}

}  // namespace voxelspark
