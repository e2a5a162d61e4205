// Tiles of kLines lines side by side, [sample][line] in doubles, and the way of lines into and out of them.
#pragma once
#include <algorithm>
#include <vector>

#include "device/parallel.h"
#include "ops/resample/lines.h"
#include "ops/resample/row.h"

namespace voxelspark {

// Calls move(element, sample, line of the tile) for `count` lines of `length` samples from line `first` on. What it
// captures by reference is loaded anew for every element.
template <class Move>
void each_sample(const Lines& l, int64_t length, int64_t first, int64_t count, const Move& move) {
  int64_t base[kLines];
  for (int64_t i = 0; i < count; i++) base[i] = l.base(first + i, length);
  if (l.inner >= count && base[count - 1] - base[0] == count - 1) {
    for (int64_t k = 0; k < length; k++)
      for (int64_t i = 0; i < count; i++) move(base[0] + i + k * l.inner, k, i);
    return;
  }
  for (int64_t i = 0; i < count; i++)
    for (int64_t k = 0; k < length; k++) move(base[i] + k * l.inner, k, i);
}

// Calls body(memory, first line, lines) for every tile; the memory holds `doubles` and what the last tile left there.
template <class Body>
void each_tile(const Lines& l, int64_t doubles, const Body& body) {
  constexpr int64_t kTilesAnItem = 8;
  parallel_ranges((l.count() + kLines - 1) / kLines, kTilesAnItem, [&](int64_t begin, int64_t end) {
    std::vector<double> memory(doubles);
    for (int64_t t = begin; t < end; t++) body(memory.data(), t * kLines, std::min(kLines, l.count() - t * kLines));
  });
}

// In place: lines that are mirrored at their ends become what the filter makes of them.
inline void filter_axis(float* y, const Lines& l, void (*filter)(double* tile, int64_t n, bool edge)) {
  if (l.n == 1) return;
  each_tile(l, l.n * kLines, [&](double* tile, int64_t first, int64_t count) {
    each_sample(l, l.n, first, count, [=](int64_t at, int64_t k, int64_t i) { tile[k * kLines + i] = y[at]; });
    filter(tile, l.n, false);
    each_sample(l, l.n, first, count,
                [=](int64_t at, int64_t k, int64_t i) { y[at] = static_cast<float>(tile[k * kLines + i]); });
  });
}

}  // namespace voxelspark
