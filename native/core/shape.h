// Shapes and extents. Feature maps are (N, C, D, H, W); every size is 64 bit.
#pragma once
#include <cstdint>
#include <string>

namespace voxelspark {

struct Int3 {
  int64_t z = 0, y = 0, x = 0;
  int64_t product() const { return z * y * x; }
  bool operator==(const Int3& o) const { return z == o.z && y == o.y && x == o.x; }
  bool operator!=(const Int3& o) const { return !(*this == o); }
};
inline Int3 operator+(Int3 a, Int3 b) { return {a.z + b.z, a.y + b.y, a.x + b.x}; }
inline Int3 operator-(Int3 a, Int3 b) { return {a.z - b.z, a.y - b.y, a.x - b.x}; }
inline Int3 operator*(Int3 a, Int3 b) { return {a.z * b.z, a.y * b.y, a.x * b.x}; }
inline Int3 operator/(Int3 a, Int3 b) { return {a.z / b.z, a.y / b.y, a.x / b.x}; }
inline bool divides(Int3 a, Int3 b) { return b.z % a.z == 0 && b.y % a.y == 0 && b.x % a.x == 0; }

constexpr int kMaxRank = 5;

struct Shape {
  int rank = 0;
  int64_t dims[kMaxRank] = {0, 0, 0, 0, 0};

  int64_t operator[](int i) const { return dims[i]; }
  int64_t elements() const {
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= dims[i];
    return n;
  }
  bool operator==(const Shape& o) const {
    if (rank != o.rank) return false;
    for (int i = 0; i < rank; i++)
      if (dims[i] != o.dims[i]) return false;
    return true;
  }
  bool operator!=(const Shape& o) const { return !(*this == o); }

  // The names of the axes of a feature map; only meaningful at rank 5.
  int64_t samples() const { return dims[0]; }
  int64_t channels() const { return dims[1]; }
  Int3 size() const { return {dims[2], dims[3], dims[4]}; }
};

inline Shape feature_shape(int64_t n, int64_t c, Int3 size) { return {5, {n, c, size.z, size.y, size.x}}; }
inline Shape vector_shape(int64_t n) { return {1, {n}}; }
inline Shape scalar_shape() { return {0, {}}; }

inline std::string to_string(const Shape& s) {
  std::string text = "(";
  for (int i = 0; i < s.rank; i++) text += (i ? ", " : "") + std::to_string(s[i]);
  return text + ")";
}
inline std::string to_string(Int3 v) {
  return "(" + std::to_string(v.z) + ", " + std::to_string(v.y) + ", " + std::to_string(v.x) + ")";
}

}  // namespace voxelspark
