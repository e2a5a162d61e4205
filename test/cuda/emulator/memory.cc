// Memory of the emulated device and pinned memory of the host. Device memory is the host's, with its size in front, and
// starts as NaN.
#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "closed.h"
#include "control.h"
#include "cuda_runtime.h"
#include "launches.h"
#include "streams_inside.h"

namespace {

constexpr size_t kHeader = 512;
std::atomic<size_t> used{0};
using Allocations = std::map<const char*, size_t>;  // bytes by where they begin
Allocations pinned, device;

std::pair<const char*, size_t> find(const Allocations& all, const void* memory) {
  auto after = all.upper_bound(static_cast<const char*>(memory));
  if (after == all.begin()) return {};
  --after;
  if (static_cast<const char*>(memory) >= after->first + after->second) return {};
  return *after;
}

bool is_pinned(const void* memory) { return find(pinned, memory).first; }

// Addresses only. Never given back: who lists launches ends soon.
void* reserve(size_t bytes) {
  used += bytes;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

void* take(size_t bytes) {
  if (used + bytes > emulator::memory_limit()) return nullptr;
  if (emulator::lists_launches()) return reserve(bytes);
  if (emulator::closes_memory()) {
    void* memory = emulator::take_closed(bytes);
    if (!memory) return nullptr;
    used += bytes;
    device[static_cast<char*>(memory)] = bytes;
    return memory;
  }
  auto* block = static_cast<char*>(std::aligned_alloc(kHeader, kHeader + (bytes + kHeader - 1) / kHeader * kHeader));
  if (!block) return nullptr;
  used += bytes;
  std::memcpy(block, &bytes, sizeof bytes);
  std::memset(block + kHeader, 0xFF, bytes);
  device[block + kHeader] = bytes;
  return block + kHeader;
}

void give_back(void* memory) {
  if (!memory || emulator::lists_launches()) return;
  if (emulator::closes_memory()) {
    const auto found = device.find(static_cast<char*>(memory));
    used -= found->second;
    emulator::give_back_closed(memory, found->second);
    device.erase(found);
    return;
  }
  char* block = static_cast<char*>(memory) - kHeader;
  size_t bytes;
  std::memcpy(&bytes, block, sizeof bytes);
  used -= bytes;
  device.erase(block + kHeader);
  std::free(block);
}

void copy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  if (emulator::lists_launches()) {
    const char* names[] = {"", "copy to the device", "copy to the host", "copy on the device"};
    emulator::list_line(std::string("copy\t") + names[kind] + "\t" + std::to_string(bytes));
    if (kind == cudaMemcpyDeviceToHost) std::memset(to, 0, bytes);
    return;
  }
  const emulator::Opened opened;
  if (bytes && emulator::complaint().empty()) std::memcpy(to, from, bytes);  // a null pointer is fine for no bytes
}

}  // namespace

using emulator::Runtime;

std::pair<const char*, size_t> emulator::device_memory(const void* address) { return find(device, address); }

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  Runtime runtime;
  if (const cudaError_t status = runtime.refuse_in_capture()) return status;
  *memory = take(bytes);
  return *memory ? cudaSuccess : runtime.failed(cudaErrorMemoryAllocation);
}

cudaError_t cudaFree(void* memory) {
  Runtime runtime;
  if (const cudaError_t status = runtime.refuse_in_capture()) return status;
  runtime.run_all();
  give_back(memory);
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** memory, size_t bytes) {
  Runtime runtime;
  if (const cudaError_t status = runtime.refuse_in_capture()) return status;
  *memory = std::malloc(bytes);
  if (!*memory) return runtime.failed(cudaErrorMemoryAllocation);
  std::memset(*memory, 0xFF, bytes);
  pinned[static_cast<char*>(*memory)] = bytes;
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void* memory) {
  Runtime runtime;
  runtime.run_all();
  pinned.erase(static_cast<char*>(memory));
  std::free(memory);
  return cudaSuccess;
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  Runtime runtime;
  if (const cudaError_t status = runtime.synchronize()) return status;
  copy(to, from, bytes, kind);
  return cudaSuccess;
}

// From and to pageable memory as the runtime does it: the caller may reuse it at once.
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  Runtime runtime;
  const bool pageable = kind != cudaMemcpyDeviceToDevice && !is_pinned(kind == cudaMemcpyHostToDevice ? from : to);
  if (pageable)
    if (const cudaError_t status = runtime.refuse_in_capture()) return status;
  if (pageable) runtime.run(stream);
  emulator::enqueue(stream, [=] { copy(to, from, bytes, kind); });
  if (pageable) runtime.run(stream);
  return runtime.status();
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  Runtime runtime;
  emulator::enqueue(stream, [=] {
    const emulator::Opened opened;
    if (emulator::lists_launches()) emulator::list_line("copy\tfill\t" + std::to_string(bytes));
    else if (emulator::complaint().empty()) std::memset(to, value, bytes);
  });
  return runtime.status();
}
