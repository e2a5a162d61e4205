// What the runtime says of devices and errors, for a machine as VOXELSPARK_EMULATOR_MACHINE says: "" has one device,
// "none", "no-driver", "old-driver", "broken-driver" and "old-device" have what their names say, "other-code" has one
// that runs code for older devices.
#include <cstdlib>
#include <cstring>
#include <string>

#include "control.h"
#include "cuda_runtime.h"

namespace {

bool machine_is(const char* name) {
  const char* machine = std::getenv("VOXELSPARK_EMULATOR_MACHINE");
  return !std::strcmp(machine ? machine : "", name);
}

}  // namespace

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorInsufficientDriver: return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice: return "cudaErrorNoDevice";
    case cudaErrorSystemDriverMismatch: return "cudaErrorSystemDriverMismatch";
    case cudaErrorLaunchFailure: return "cudaErrorLaunchFailure";
    case cudaErrorStreamCaptureUnsupported: return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureInvalidated: return "cudaErrorStreamCaptureInvalidated";
    case cudaErrorStreamCaptureIsolation: return "cudaErrorStreamCaptureIsolation";
    default: break;
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
  // Few, so that blocks that stay have several tiles each; listed are the launches of an H100.
  const int kMultiprocessors = emulator::lists_launches() ? 132 : 3;
  const int capability = emulator::compute_capability();
  *value = attribute == cudaDevAttrMultiProcessorCount      ? kMultiprocessors
           : attribute == cudaDevAttrComputeCapabilityMajor ? capability / 10
                                                            : capability % 10;
  return cudaSuccess;
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void*) {
  attributes->ptxVersion = machine_is("other-code") ? 80 : emulator::compute_capability();
  return cudaSuccess;
}
