#include <dlfcn.h>

#include "core/status.h"
#include "device/backend.h"

namespace voxelspark {

static const CudaBackend* opened = nullptr;
static std::string reason = "the CUDA backend was not built: install nvcc and cmake, then run `npm rebuild voxelspark`";

void open_cuda(const std::string& path) {
  if (opened) return;
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library) {
    reason = std::string("the CUDA backend could not be loaded: ") + dlerror();
    return;
  }
  auto get = reinterpret_cast<const CudaBackend* (*)()>(dlsym(library, "voxelspark_cuda_backend"));
  const CudaBackend* candidate = get ? get() : nullptr;
  if (!candidate || candidate->abi != CudaBackend::kAbi) {
    reason = "the CUDA backend at " + path + " belongs to another version: run `npm rebuild voxelspark`";
    return;
  }
  opened = candidate;
  reason = opened->device_count() > 0 ? "" : opened->reason();
}

const CudaBackend* cuda_backend() { return opened; }
const std::string& cuda_reason() { return reason; }

const Backend& backend_of(DeviceKind kind) {
  if (kind == DeviceKind::null) return null_backend;
  if (kind != DeviceKind::cuda) return cpu_backend;
  require(opened && opened->device_count() > 0, "DEVICE", "device 'cuda' cannot be used: " + reason);
  return opened->backend;
}

}  // namespace voxelspark
