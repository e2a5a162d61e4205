#include "device/layout_copy.h"

#include <algorithm>
#include <cstring>

#include "device/parallel.h"

namespace voxelspark {

// Calls move(dense element, stored element) for every stored element of a feature map.
template <class T, class Move>
static void each_element(const Layout& layout, T* dense, T* stored, const Move& move) {
  const Int3 size = layout.shape.size(), edge = layout.edge();
  const int64_t plane = size.product(), c = layout.channels();
  parallel_items(layout.blocks() * edge.z, edge.y * edge.x * c, [&](int64_t i) {
    const int64_t block = i / edge.z, n = layout.sample_of(block);
    const Int3 corner = layout.corner_of(block);
    const int64_t z = corner.z + i % edge.z;
    T* voxel = stored + i * edge.y * edge.x * c;
    for (int64_t y = corner.y; y < corner.y + edge.y; y++)
      for (int64_t x = corner.x; x < corner.x + edge.x; x++, voxel += c) {
        T* at = dense + n * c * plane + (z * size.y + y) * size.x + x;
        for (int64_t k = 0; k < c; k++) move(at[k * plane], voxel[k]);
      }
  });
}

template <class T>
static void store(const Layout& layout, const void* dense, void* stored) {
  each_element(layout, static_cast<T*>(const_cast<void*>(dense)), static_cast<T*>(stored),
               [](const T& from, T& to) { to = from; });
}

template <class T>
static void restore(const Layout& layout, const void* stored, void* dense) {
  each_element(layout, static_cast<T*>(dense), static_cast<T*>(const_cast<void*>(stored)),
               [](T& to, const T& from) { to = from; });
}

template <class T>
static void fill(const Layout& layout, double value, void* stored) {
  T* data = static_cast<T*>(stored);
  parallel_ranges(layout.stored_elements(), 1 << 18,
                  [&](int64_t a, int64_t b) { std::fill(data + a, data + b, static_cast<T>(value)); });
}

// Whether both orders are the same: plain tensors, and dense feature maps with one channel.
static bool is_plain(const Layout& l) { return l.shape.rank < 5 || (!l.grid && l.channels() == 1); }

static void copy(const Layout& layout, const void* from, void* to) {
  parallel_ranges(layout.bytes(), 1 << 20, [&](int64_t a, int64_t b) {
    std::memcpy(static_cast<char*>(to) + a, static_cast<const char*>(from) + a, static_cast<size_t>(b - a));
  });
}

void to_storage(const Layout& layout, const void* dense, void* stored) {
  if (is_plain(layout)) copy(layout, dense, stored);
  else if (layout.dtype == DType::float64) store<double>(layout, dense, stored);
  else store<float>(layout, dense, stored);
}

void from_storage(const Layout& layout, const void* stored, void* dense) {
  if (is_plain(layout)) copy(layout, stored, dense);
  else if (layout.dtype == DType::float64) restore<double>(layout, stored, dense);
  else restore<float>(layout, stored, dense);
}

void fill_storage(const Layout& layout, double value, void* stored) {
  if (layout.dtype == DType::float64) fill<double>(layout, value, stored);
  else fill<float>(layout, value, stored);
}

}  // namespace voxelspark
