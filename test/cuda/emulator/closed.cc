#include "closed.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

namespace emulator {

namespace {

struct Pages {
  std::mutex mutex;
  std::map<void*, size_t> bytes;
  int opened = 0;

  void protect(int how) {
    for (const auto& [begin, size] : bytes)
      if (mprotect(begin, size, how)) std::abort();
  }
};

// Never destroyed: threads outlive static objects.
Pages& pages() {
  static auto* all = new Pages;
  return *all;
}

size_t whole_pages(size_t bytes) {
  constexpr size_t kPage = 4096;
  return (bytes + kPage - 1) / kPage * kPage;
}

}  // namespace

bool closes_memory() {
  static const bool wish = std::getenv("VOXELSPARK_EMULATOR_CLOSED");
  return wish;
}

void* take_closed(size_t bytes) {
  const size_t size = whole_pages(bytes);
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  std::memset(memory, 0xFF, bytes);
  std::lock_guard<std::mutex> lock(pages().mutex);
  pages().bytes[memory] = size;
  if (!pages().opened && mprotect(memory, size, PROT_NONE)) std::abort();
  return memory;
}

void give_back_closed(void* memory, size_t bytes) {
  std::lock_guard<std::mutex> lock(pages().mutex);
  pages().bytes.erase(memory);
  munmap(memory, whole_pages(bytes));
}

Opened::Opened() {
  if (!closes_memory()) return;
  std::lock_guard<std::mutex> lock(pages().mutex);
  if (pages().opened++ == 0) pages().protect(PROT_READ | PROT_WRITE);
}

Opened::~Opened() {
  if (!closes_memory()) return;
  std::lock_guard<std::mutex> lock(pages().mutex);
  if (--pages().opened == 0) pages().protect(PROT_NONE);
}

}  // namespace emulator
