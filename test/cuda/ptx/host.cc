// The side of the runtime that nvcc's host code calls: it brings modules and kernels, and launches them. The PTX of a
// module lies in its fat binary, so what runs is what a driver would compile.
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include "../emulator/control.h"
#include "../emulator/cuda_runtime.h"
#include "../emulator/streams_inside.h"
#include "launch.h"

namespace ptx {

namespace {

struct Wrapper {
  uint32_t magic, version;
  const uint8_t* data;
  const void* file;
};
struct Header {
  uint32_t magic;
  uint16_t version, bytes;
  uint64_t size;
};
struct Entry {
  uint16_t kind, version;
  uint32_t bytes;
  uint64_t size;
  uint32_t packed;  // bytes when compressed
};
constexpr uint32_t kWrapper = 0x466243B1, kFatBinary = 0xBA55ED50;
constexpr uint16_t kPtx = 1;

std::string text_of(const Wrapper& wrapper) {
  Header header;
  std::memcpy(&header, wrapper.data, sizeof header);
  if (wrapper.magic != kWrapper || header.magic != kFatBinary) fail("this is not a fat binary");
  for (uint64_t at = 0; at < header.size;) {
    const uint8_t* place = wrapper.data + header.bytes + at;
    Entry entry;
    std::memcpy(&entry, place, sizeof entry);
    const auto* text = reinterpret_cast<const char*>(place + entry.bytes);
    if (entry.kind == kPtx && entry.packed) fail("the PTX of a fat binary is compressed");
    if (entry.kind == kPtx) return std::string(text, strnlen(text, entry.size));
    at += entry.bytes + entry.size;
  }
  return "";
}

// Never destroyed: kernels may be launched until the process ends.
struct Registry {
  std::mutex mutex;
  std::map<const void*, Function> functions;  // by the address of the host's function
};
Registry& registry() {
  static auto* all = new Registry;
  return *all;
}

struct Configuration {
  emulator::Index grid, block;
  size_t bytes;
  cudaStream_t stream;
};
std::vector<Configuration>& configurations() {
  thread_local std::vector<Configuration> all;
  return all;
}

}  // namespace

}  // namespace ptx

using emulator::Index;
using ptx::Function;
using ptx::Launch;
using ptx::Library;

extern "C" {

#define EXPORT __attribute__((visibility("hidden")))

EXPORT void** __cudaRegisterFatBinary(void* binary) {
  return reinterpret_cast<void**>(
      new Library([binary] { return ptx::text_of(*static_cast<const ptx::Wrapper*>(binary)); }));
}
EXPORT void __cudaRegisterFatBinaryEnd(void**) {}
EXPORT void __cudaUnregisterFatBinary(void**) {}

EXPORT void __cudaRegisterFunction(void** library, const char* host, char*, const char* name, int, void*, void*, void*,
                                   void*, int*) {
  std::lock_guard<std::mutex> lock(ptx::registry().mutex);
  Function& f = ptx::registry().functions[host];
  f.library = reinterpret_cast<Library*>(library);
  f.name = name;
}

EXPORT cudaError_t __cudaGetKernel(Function** kernel, const void* host) {
  std::lock_guard<std::mutex> lock(ptx::registry().mutex);
  const auto found = ptx::registry().functions.find(host);
  if (found == ptx::registry().functions.end()) return cudaErrorNoKernelImageForDevice;
  *kernel = &found->second;
  return cudaSuccess;
}

EXPORT unsigned __cudaPushCallConfiguration(Index grid, Index block, size_t bytes, cudaStream_t stream) {
  ptx::configurations().push_back({grid, block, bytes, stream});
  return 0;
}
EXPORT cudaError_t __cudaPopCallConfiguration(Index* grid, Index* block, size_t* bytes, void* stream) {
  if (ptx::configurations().empty()) return cudaErrorLaunchFailure;
  const ptx::Configuration c = ptx::configurations().back();
  ptx::configurations().pop_back();
  *grid = c.grid;
  *block = c.block;
  *bytes = c.bytes;
  std::memcpy(stream, &c.stream, sizeof c.stream);
  return cudaSuccess;
}

// cudaFuncAttributeMaxDynamicSharedMemorySize is 8.
EXPORT cudaError_t cudaFuncSetAttribute(const void* host, int attribute, int value) {
  Function* f;
  constexpr int kDynamicShared = 8;
  if (__cudaGetKernel(&f, host) != cudaSuccess || attribute != kDynamicShared) return cudaErrorNoKernelImageForDevice;
  emulator::Runtime runtime;
  ptx::allow_dynamic(*f, value);
  return runtime.status();
}

// Arguments are copied now, as the runtime does; what is wrong with the launch is known now, too.
EXPORT cudaError_t __cudaLaunchKernel(Function* f, Index grid, Index block, void** arguments, size_t bytes,
                                      cudaStream_t stream) {
  emulator::Runtime runtime;
  const ptx::Index blocks{grid.x, grid.y, grid.z}, threads{block.x, block.y, block.z};
  const std::shared_ptr<Launch> launch = ptx::prepare(*f, blocks, threads, bytes, arguments);
  if (launch) emulator::enqueue(stream, [launch] { ptx::run_prepared(*launch, emulator::current_late()); });
  return runtime.status();
}

}  // extern "C"
