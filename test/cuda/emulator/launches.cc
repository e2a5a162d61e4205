#include "launches.h"

#include <cstdio>
#include <cstdlib>
#include <mutex>

namespace emulator {

static const char* file_name() {
  static const char* const name = std::getenv("VOXELSPARK_EMULATOR_LAUNCHES");
  return name;
}

bool lists_launches() { return file_name() != nullptr; }

void list_line(const std::string& line) {
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  static std::FILE* const file = std::fopen(file_name(), "w");
  if (!file) std::abort();
  std::fputs((line + "\n").c_str(), file);
  std::fflush(file);
}

void list_kernel(const char* name, Index grid, Index block, size_t bytes) {
  const auto size = [](Index i) { return std::to_string(i.x) + " " + std::to_string(i.y) + " " + std::to_string(i.z); };
  list_line(std::string("kernel\t") + name + "\t" + size(grid) + "\t" + size(block) + "\t" + std::to_string(bytes));
}

}  // namespace emulator
