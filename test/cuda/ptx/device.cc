// What is asked in structs of CUDA's own layout: compiled with CUDA's header, unlike the rest.
#include <cuda_runtime_api.h>

#include <cstring>

namespace emulator {
int compute_capability();
}

extern "C" __attribute__((visibility("hidden"))) cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  const int capability = emulator::compute_capability();
  *properties = {};
  std::strcpy(properties->name, "PTX machine");
  properties->major = capability / 10;
  properties->minor = capability % 10;
  return cudaSuccess;
}

extern "C" __attribute__((visibility("hidden"))) cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes,
                                                                                   const void*) {
  *attributes = {};
  attributes->ptxVersion = emulator::compute_capability();
  return cudaSuccess;
}
