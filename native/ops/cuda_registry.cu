// The kernel table of the CUDA shared object, expanded from ops.def. An op takes part by defining `<kernel>_cuda` in
// its cuda.cu; the symbols are weak, so a kernel that nobody has written yet is a null entry and not a link error.
#include <cstring>

#include "device/cuda_device.h"
#include "ops/kernel.h"
#include "voxelspark_abi.h"

namespace voxelspark {

#define KERNEL(name, inputs, outputs) __attribute__((weak)) void name##_cuda(const Descriptor&, const Launch&);
#include "ops/ops.def"
#undef KERNEL

static void* find_kernel(const char* wanted) {
#define KERNEL(name, inputs, outputs) \
  if (!std::strcmp(wanted, #name)) return reinterpret_cast<void*>(name##_cuda);
#include "ops/ops.def"
#undef KERNEL
  return nullptr;
}

}  // namespace voxelspark

extern "C" __attribute__((visibility("default"))) const voxelspark::CudaBackend* voxelspark_cuda_backend() {
  static const voxelspark::CudaBackend backend = voxelspark::make_cuda_backend(VOXELSPARK_ABI, voxelspark::find_kernel);
  return &backend;
}
