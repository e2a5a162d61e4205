// What is asked in structs of CUDA's own layout: compiled with CUDA's header, unlike the rest. The emulator's runtime knows
// the answers (runtime.cc, under names that build.cjs gives), in structs as small as they may be.
#include <cuda_runtime_api.h>

#include <cstring>

#define EXPORT __attribute__((visibility("hidden")))

extern "C" {

struct EmulatedProperties {
  char name[256];
  int major, minor;
};
struct EmulatedAttributes {
  int ptxVersion;
};
cudaError_t emulated_cudaGetDeviceProperties(EmulatedProperties* properties, int device);
cudaError_t emulated_cudaFuncGetAttributes(EmulatedAttributes* attributes, const void* kernel);

EXPORT cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  EmulatedProperties known;
  const cudaError_t status = emulated_cudaGetDeviceProperties(&known, device);
  *properties = {};
  std::memcpy(properties->name, known.name, sizeof known.name);
  properties->major = known.major;
  properties->minor = known.minor;
  return status;
}

EXPORT cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* kernel) {
  EmulatedAttributes known;
  const cudaError_t status = emulated_cudaFuncGetAttributes(&known, kernel);
  *attributes = {};
  attributes->ptxVersion = known.ptxVersion;
  return status;
}

}  // extern "C"
