// Maps of a line as banded matrices, for devices where many short sums are faster than a recursion: the spline's
// prefilter is cut off where its memory is below the precision of float32, 16 samples on either side. One structure
// resizes, filters, and does either the other way round.
#pragma once
#include <algorithm>

#include "ops/resample/spline.h"

namespace voxelspark {

constexpr int64_t kBandReach = 16;  // |pole|^17 = 2e-10

struct BandEntry {
  int64_t row, column;
  double weight;
};

// Row r holds weight[r * width + t] in column first[r] + t, t < width; all of them are columns of the matrix.
struct Band {
  int64_t rows, columns, width = 1;
  std::vector<int32_t> first;
  std::vector<float> weight;

  Band(int64_t rows, int64_t columns, const std::vector<BandEntry>& entries)
      : rows(rows), columns(columns), first(rows, 0) {
    std::vector<int64_t> low(rows, columns), high(rows, -1);
    for (const BandEntry& e : entries) {
      low[e.row] = std::min(low[e.row], e.column);
      high[e.row] = std::max(high[e.row], e.column);
    }
    for (int64_t r = 0; r < rows; r++) width = std::max(width, high[r] - low[r] + 1);
    for (int64_t r = 0; r < rows; r++) first[r] = static_cast<int32_t>(std::min(low[r], columns - width));
    std::vector<double> sums(rows * width);
    for (const BandEntry& e : entries) sums[e.row * width + e.column - first[e.row]] += e.weight;
    weight.assign(sums.begin(), sums.end());
  }
};

// The most that `width` can be for the maps below; bands are made on the host and their size must be known before.
inline int64_t widest_band(int64_t rows, int64_t columns) {
  const double steps = std::max(1.0, static_cast<double>(columns) / static_cast<double>(rows));
  const double wanted = (2.0 * static_cast<double>(kBandReach) + 6.0) * steps + 8.0;
  return std::min(columns, static_cast<int64_t>(wanted));
}

inline std::vector<BandEntry> transposed(std::vector<BandEntry> entries) {
  for (BandEntry& e : entries) std::swap(e.row, e.column);
  return entries;
}

// Calls visit(step, weight) for the impulse response of the prefilter: 6 z / (z^2 - 1) z^|step|.
template <class Visit>
void each_response(const Visit& visit) {
  double h = 6 * kPole / (kPole * kPole - 1);
  for (int64_t j = 0; j <= kBandReach; j++, h *= kPole) {
    visit(j, h);
    if (j) visit(-j, h);
  }
}

// A line of n samples that goes on with its edge values, resized to m as spline.h's axis_taps() say.
inline std::vector<BandEntry> resize_entries(int64_t n, int64_t m, int64_t order) {
  const AxisTaps taps = axis_taps(n, m, order);
  const auto clamped = [n](int64_t k) { return std::min(std::max<int64_t>(k, 0), n - 1); };
  std::vector<BandEntry> entries;
  for (int64_t i = 0; i < m; i++)
    for (int64_t t = 0; t < taps.taps; t++) {
      const int64_t at = taps.first[i] - kPad + t;
      const double weight = taps.weight[i * taps.taps + t];
      if (order == 3)
        each_response([&](int64_t step, double h) { entries.push_back({i, clamped(at + step), weight * h}); });
      else entries.push_back({i, clamped(at), weight});
    }
  return entries;
}

// From n samples, mirrored at both ends, to as many spline coefficients.
inline std::vector<BandEntry> filter_entries(int64_t n) {
  std::vector<BandEntry> entries;
  for (int64_t k = 0; k < n; k++)
    each_response([&](int64_t step, double h) { entries.push_back({k, mirrored(k + step, n), h}); });
  return entries;
}

}  // namespace voxelspark
