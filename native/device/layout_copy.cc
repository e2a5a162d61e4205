#include "device/layout_copy.h"

#include <algorithm>
#include <cstring>

#include "core/half.h"
#include "device/parallel.h"

namespace voxelspark {

// The value of an element in the type of the other side.
template <class T>
struct Convert {
  using Dense = T;
  static T widen(T v) { return v; }
  static T narrow(T v) { return v; }
};
template <class T>
struct Convert16 {
  using Dense = float;
  static float widen(T v) { return v.value(); }
  static T narrow(float v) { return T::of(v); }
};
template <>
struct Convert<BFloat16> : Convert16<BFloat16> {};
template <>
struct Convert<Float16> : Convert16<Float16> {};

// Calls move(dense element, stored element) for every stored element of a feature map.
template <class Dense, class Stored, class Move>
static void each_element(const Layout& layout, Dense* dense, Stored* stored, const Move& move) {
  const Int3 size = layout.shape.size(), edge = layout.edge();
  const int64_t plane = size.product(), c = layout.channels();
  parallel_items(layout.blocks() * edge.z, edge.y * edge.x * c, [&](int64_t i) {
    const int64_t block = i / edge.z, n = layout.sample_of(block);
    const Int3 corner = layout.corner_of(block);
    const int64_t z = corner.z + i % edge.z;
    Stored* voxel = stored + i * edge.y * edge.x * c;
    for (int64_t y = corner.y; y < corner.y + edge.y; y++)
      for (int64_t x = corner.x; x < corner.x + edge.x; x++, voxel += c) {
        Dense* at = dense + n * c * plane + (z * size.y + y) * size.x + x;
        for (int64_t k = 0; k < c; k++) move(at[k * plane], voxel[k]);
      }
  });
}

// Whether both orders are the same: plain tensors, and dense feature maps with one channel.
static bool is_plain(const Layout& l) { return l.shape.rank < 5 || (!l.grid && l.channels() == 1); }

template <class Dense, class Stored, class Move>
static void move_all(const Layout& layout, Dense* dense, Stored* stored, const Move& move) {
  if (!is_plain(layout)) return each_element(layout, dense, stored, move);
  parallel_ranges(layout.stored_elements(), 1 << 18, [&](int64_t a, int64_t b) {
    for (int64_t i = a; i < b; i++) move(dense[i], stored[i]);
  });
}

template <class Body>
static void by_type(DType type, const Body& body) {
  switch (type) {
    case DType::float32: return body(float{});
    case DType::float64: return body(double{});
    case DType::bfloat16: return body(BFloat16{});
    case DType::float16: return body(Float16{});
  }
}

void to_storage(const Layout& layout, const void* dense, void* stored) {
  by_type(layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    using Dense = typename Convert<T>::Dense;
    move_all(layout, static_cast<const Dense*>(dense), static_cast<T*>(stored),
             [](const Dense& from, T& to) { to = Convert<T>::narrow(from); });
  });
}

void from_storage(const Layout& layout, const void* stored, void* dense) {
  by_type(layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    using Dense = typename Convert<T>::Dense;
    move_all(layout, static_cast<Dense*>(dense), static_cast<const T*>(stored),
             [](Dense& to, const T& from) { to = Convert<T>::widen(from); });
  });
}

void fill_storage(const Layout& layout, double value, void* stored) {
  by_type(layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    T* data = static_cast<T*>(stored);
    const T element = Convert<T>::narrow(static_cast<typename Convert<T>::Dense>(value));
    parallel_ranges(layout.stored_elements(), 1 << 18,
                    [&](int64_t a, int64_t b) { std::fill(data + a, data + b, element); });
  });
}

}  // namespace voxelspark
