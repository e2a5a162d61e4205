// Inside the CUDA shared object: the device's functions; the table of kernels joins them in ops/cuda_registry.cu.
#pragma once
#include "device/backend.h"

namespace voxelspark {

CudaBackend make_cuda_backend(uint64_t abi, void* (*find_kernel)(const char* name));

}  // namespace voxelspark
