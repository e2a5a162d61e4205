// The null device hands out addresses that nobody may touch: a dry run counts memory and checks shapes.
#include <atomic>

#include "device/backend.h"

namespace voxelspark {

static void* allocate(int64_t bytes) {
  static std::atomic<uintptr_t> next{4096};
  return reinterpret_cast<void*>(next.fetch_add(static_cast<uintptr_t>(bytes)));
}

const Backend null_backend = {"null", false, {allocate, [](void*, int64_t) {}, int64_t{1} << 40}, [] {}};

}  // namespace voxelspark
