// The CUDA device: memory, waiting, and why there is none. Failures of a device come back as cudaError_t and
// leave as sentences; nothing here needs a driver in order to load.
#include <algorithm>
#include <cstdlib>

#include "device/cuda.cuh"
#include "device/cuda_device.h"
#include "device/cuda_graph.cuh"
#include "device/cuda_grid.cuh"
#include "device/cuda_transfer.cuh"

namespace voxelspark {

// Kernels are compiled for compute capability 8.0 and newer.
static constexpr int kOldestMajor = 8;
// 100 times the capabilities that this build has code for.
static constexpr int kCompiledFor[] = {__CUDA_ARCH_LIST__};

// Code for 8.0 comes with PTX, which newer devices compile for themselves; other code runs on its own major number from
// its minor one on, and that with the instructions of 9.0 on nothing else.
static bool has_code_for(int major, int minor) {
  for (const int compiled : kCompiledFor) {
    const int own_major = compiled / 100, own_minor = compiled / 10 % 10;
    if (compiled == 800 || (own_major == major && (own_major == 9 ? minor == 0 : own_minor <= minor))) return true;
  }
  return false;
}

static std::string describe(cudaError_t status) {
  return std::string(cudaGetErrorName(status)) + ", " + cudaGetErrorString(status);
}

static std::string version_of(int v) { return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10); }

// Why no device can be used; empty when one can.
static std::string find_reason() {
  int devices = 0, driver = 0;
  const cudaError_t status = cudaGetDeviceCount(&devices);
  cudaDriverGetVersion(&driver);
  if (status == cudaErrorInsufficientDriver)
    return (driver ? "the NVIDIA driver supports CUDA " + version_of(driver)
                   : std::string("there is no NVIDIA driver")) +
           ", this build needs CUDA " + version_of(CUDART_VERSION) + ": install or update the driver (" +
           describe(status) + ")";
  if (status != cudaSuccess && status != cudaErrorNoDevice)
    return "the NVIDIA driver does not answer (" + describe(status) + "): restart it or the machine";
  if (devices == 0) {
    const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
    return visible ? std::string("no GPU is visible with CUDA_VISIBLE_DEVICES='") + visible + "'"
                   : std::string("the machine has no NVIDIA GPU");
  }
  cudaDeviceProp properties;
  if (cudaGetDeviceProperties(&properties, 0) != cudaSuccess) return "the first GPU does not tell its properties";
  if (properties.major < kOldestMajor)
    return std::string(properties.name) + " has compute capability " + std::to_string(properties.major) + "." +
           std::to_string(properties.minor) + ", allowed are 8.0 and newer: choose another with CUDA_VISIBLE_DEVICES";
  if (!has_code_for(properties.major, properties.minor))
    return std::string(properties.name) + " has compute capability " + std::to_string(properties.major) + "." +
           std::to_string(properties.minor) +
           ", for which this build has no code: run `npm rebuild voxelspark` on this machine";
  return "";
}

static const std::string& reason_text() {
  static const std::string text = find_reason();
  return text;
}

static const char* reason() { return reason_text().c_str(); }

static int device_count() {
  int devices = 0;
  if (!reason_text().empty() || cudaGetDeviceCount(&devices) != cudaSuccess) return 0;
  return devices;
}

static const char* device_name(int device) {
  static thread_local cudaDeviceProp properties;
  return cudaGetDeviceProperties(&properties, device) == cudaSuccess ? properties.name : "unknown";
}

static void* allocate(int64_t bytes) {
  void* memory = nullptr;
  const cudaError_t status = cudaMalloc(&memory, static_cast<size_t>(bytes));
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // the pool flushes and tries again; the device is not broken
    return nullptr;
  }
  check_cuda(status, "cudaMalloc");
  return memory;
}

// A runtime that is being torn down at process exit has returned its memory already.
static void release(void* memory, int64_t) { cudaFree(memory); }

constexpr int64_t kSegment = int64_t{256} << 20;

// VOXELSPARK_CUDA_SEGMENT=1 makes every tensor an allocation of its own, whose ends compute-sanitizer knows.
static int64_t segment() {
  const char* wish = std::getenv("VOXELSPARK_CUDA_SEGMENT");
  return wish ? std::max<int64_t>(1, std::atoll(wish)) : kSegment;
}

// Not of the whole device, on which another thread may be capturing: that would spoil its graph.
static void synchronize() { check_cuda(cudaStreamSynchronize(cudaStreamPerThread), "a kernel"); }

CudaBackend make_cuda_backend(uint64_t abi, void* (*find_kernel)(const char* name)) {
  const Transfers transfers{copy_to_device, copy_to_host, begin_read, finish_read, fill_device};
  const Graphs graphs{begin_capture, end_capture, abort_capture, launch_graph, free_graph, refresh_tables};
  return {abi,          {"cuda", false, {allocate, release, segment()}, synchronize, transfers, graphs},
          device_count, reason,
          device_name,  find_kernel};
}

}  // namespace voxelspark
