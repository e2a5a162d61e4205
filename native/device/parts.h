// A kernel's workspace as the arrays that it is made of. Walked without memory it tells how many bytes they take,
// walked with it it hands them out, so both always agree.
#pragma once
#include <cstdint>

namespace voxelspark {

class Parts {
 public:
  explicit Parts(void* memory = nullptr) : begin_(reinterpret_cast<uintptr_t>(memory)) {}
  template <class T>
  T* take(int64_t elements) {
    constexpr int64_t kAlignment = 256;
    T* part = reinterpret_cast<T*>(begin_ + static_cast<uintptr_t>(bytes_));
    bytes_ += (elements * static_cast<int64_t>(sizeof(T)) + kAlignment - 1) / kAlignment * kAlignment;
    return part;
  }
  int64_t bytes() const { return bytes_; }

 private:
  uintptr_t begin_;
  int64_t bytes_ = 0;
};

}  // namespace voxelspark
