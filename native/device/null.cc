// The null device hands out addresses that nobody may touch: a dry run counts memory and checks shapes.
#include <atomic>

#include "device/backend.h"

namespace voxelspark {

static void* allocate(int64_t) {
  static std::atomic<uintptr_t> next{64};
  return reinterpret_cast<void*>(next.fetch_add(64));
}

const Backend null_backend = {
    "null", false, {allocate, [](void*) {}}, [](void*, const void*, int64_t) {}, [](void*, const void*, int64_t) {},
    [] {}};

}  // namespace voxelspark
