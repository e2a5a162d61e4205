// Objects by number, for callers that must not hold pointers.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/status.h"

namespace voxelspark {

// Handles are index + generation in one number, so a stale one is recognised and never touches freed memory.
template <class T>
class HandleTable {
 public:
  double add(T value) {
    if (free_.empty()) {
      free_.push_back(slots_.size());
      slots_.emplace_back();
    }
    const size_t i = free_.back();
    free_.pop_back();
    slots_[i].value = std::move(value);
    slots_[i].live = true;
    return static_cast<double>(slots_[i].generation * kIndices + i);
  }
  T& get(double handle, const char* what) {
    const uint64_t h = handle >= 1 && handle < 9e15 ? static_cast<uint64_t>(handle) : 0;
    const size_t i = h % kIndices;
    require(i < slots_.size() && slots_[i].live && slots_[i].generation == h / kIndices, "DISPOSED",
            std::string(what) + " is used after dispose()");
    return slots_[i].value;
  }
  void remove(double handle, const char* what) {
    get(handle, what) = T{};
    const size_t i = static_cast<uint64_t>(handle) % kIndices;
    slots_[i].live = false;
    slots_[i].generation++;
    free_.push_back(i);
  }
  int64_t live() const { return static_cast<int64_t>(slots_.size() - free_.size()); }

 private:
  static constexpr uint64_t kIndices = 1 << 22;
  struct Slot {
    T value{};
    uint64_t generation = 1;
    bool live = false;
  };
  std::vector<Slot> slots_;
  std::vector<size_t> free_;
};

}  // namespace voxelspark
