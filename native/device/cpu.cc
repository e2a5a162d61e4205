#include <sys/mman.h>

#include "device/backend.h"

namespace voxelspark {

// Address space for a pool: pages come into being when they are first touched, huge ones where the system allows.
static void* reserve(int64_t bytes) {
  const size_t size = static_cast<size_t>(bytes);
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
#ifdef MADV_HUGEPAGE
  madvise(memory, size, MADV_HUGEPAGE);
#endif
  return memory;
}

static void give_back(void* memory, int64_t bytes) { munmap(memory, static_cast<size_t>(bytes)); }

// Reserving costs nothing, so one segment usually serves a whole run and its blocks can always join.
constexpr int64_t kSegment = int64_t{16} << 30;

const Backend cpu_backend = {"cpu", true, {reserve, give_back, kSegment}, [] {}};

}  // namespace voxelspark
