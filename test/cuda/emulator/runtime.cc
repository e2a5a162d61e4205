// The runtime functions that native/device calls, for a machine as VOXELSPARK_EMULATOR_MACHINE says: "" has one device,
// "none", "no-driver", "old-driver", "broken-driver" and "old-device" have what their names say.
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>

#include "control.h"
#include "cuda_runtime.h"

namespace {

// Device memory is the host's, with its size in front; 0xFF is NaN.
constexpr size_t kHeader = 512;
std::atomic<size_t> used{0};

bool machine_is(const char* name) {
  const char* machine = std::getenv("VOXELSPARK_EMULATOR_MACHINE");
  return !std::strcmp(machine ? machine : "", name);
}

}  // namespace

cudaError_t cudaGetLastError() {
  return emulator::complaint().empty() ? cudaSuccess : cudaErrorLaunchFailure;  // sticky, as on a device
}

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorInsufficientDriver: return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice: return "cudaErrorNoDevice";
    case cudaErrorSystemDriverMismatch: return "cudaErrorSystemDriverMismatch";
    case cudaErrorLaunchFailure: return "cudaErrorLaunchFailure";
  }
  return "unknown";
}

const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaErrorLaunchFailure ? emulator::complaint().c_str() : "emulated";
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 0;
  if (machine_is("no-driver") || machine_is("old-driver")) return cudaErrorInsufficientDriver;
  if (machine_is("broken-driver")) return cudaErrorSystemDriverMismatch;
  if (machine_is("none")) return cudaErrorNoDevice;
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  if (visible && !*visible) return cudaErrorNoDevice;
  *count = 1;
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = machine_is("no-driver") ? 0 : machine_is("old-driver") ? 11040 : CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  const bool old = machine_is("old-device");
  const int capability = old ? 75 : emulator::compute_capability();
  *properties = {"emulated device", capability / 10, capability % 10};
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  constexpr int kMultiprocessors = 3;  // few, so that blocks that stay have several tiles each
  const int capability = emulator::compute_capability();
  *value = attribute == cudaDevAttrMultiProcessorCount      ? kMultiprocessors
           : attribute == cudaDevAttrComputeCapabilityMajor ? capability / 10
                                                            : capability % 10;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  if (used + bytes > emulator::memory_limit()) return cudaErrorMemoryAllocation;
  auto* block = static_cast<char*>(std::aligned_alloc(kHeader, kHeader + (bytes + kHeader - 1) / kHeader * kHeader));
  if (!block) return cudaErrorMemoryAllocation;
  used += bytes;
  std::memcpy(block, &bytes, sizeof bytes);
  std::memset(block + kHeader, 0xFF, bytes);
  *memory = block + kHeader;
  return cudaSuccess;
}

cudaError_t cudaFree(void* memory) {
  if (!memory) return cudaSuccess;
  char* block = static_cast<char*>(memory) - kHeader;
  size_t bytes;
  std::memcpy(&bytes, block, sizeof bytes);
  used -= bytes;
  std::free(block);
  return cudaSuccess;
}

cudaError_t cudaMallocAsync(void** memory, size_t bytes, cudaStream_t) { return cudaMalloc(memory, bytes); }
cudaError_t cudaFreeAsync(void* memory, cudaStream_t) { return cudaFree(memory); }

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind) {
  if (cudaGetLastError() != cudaSuccess) return cudaErrorLaunchFailure;
  if (bytes) std::memcpy(to, from, bytes);  // a null pointer is fine for no bytes
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() { return cudaGetLastError(); }
