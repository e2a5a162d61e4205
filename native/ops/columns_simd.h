// Runs of elements in columns (see reduce/columns.h), for SIMD files: vectors first, then single elements.
#pragma once
#include "device/simd.h"

namespace voxelspark {
SIMD_NAMESPACE(simd) {

// A vector or one element, whichever `lanes` is.
VS_INLINE Vec get(const float* p, Vec) { return load(p); }
VS_INLINE float get(const float* p, float) { return *p; }
VS_INLINE void put(float* p, Vec v) { store(p, v); }
VS_INLINE void put(float* p, float v) { *p = v; }

// Calls body(column, element, lanes) over rows of `width` columns.
template <class Body>
VS_INLINE void each_column(int64_t n, int64_t width, const Body& body) {
  for (int64_t row = 0; row < n; row += width) {
    const int64_t columns = n - row < width ? n - row : width;
    int64_t k = 0;
    for (; k + kLanes <= columns; k += kLanes) body(k, row + k, Vec{});
    for (; k < columns; k++) body(k, row + k, 0.0f);
  }
}

}  // SIMD_NAMESPACE(simd)
}  // namespace voxelspark
