// True and false positives and negatives of regions, which are sets of labels, between two label volumes
// (method.md section 8). A label is a whole number from 0 to 65535 held as float; anything else belongs to no region
// and is counted as invalid. Voxels whose reference label is the ignore label count nowhere.
//
// counts (R, 4, 2): TP, FP, FN, TN of each region as (high, low) with count = high * 2^24 + low, both exact in
// float32. invalid (2, 2): the same for voxels of prediction and reference that are no labels.
// Integers only, hence the same numbers for any number of threads.
#pragma once
#include <cmath>

#include "core/host_device.h"
#include "core/text.h"
#include "device/parts.h"
#include "ops/checks.h"
#include "ops/reduce/voxel_splits.h"

namespace voxelspark {

constexpr int64_t kLabels = 65536;     // labels are 0 … kLabels - 1
constexpr int64_t kMostRegions = 256;  // of one launch

inline bool is_label(double v) { return v >= 0 && v < kLabels && v == std::floor(v); }

// Sets of labels as two flat lists: `labels` holds those of the first region, then of the second, and so on.
struct Regions {
  std::vector<double> labels, sizes, ignore;

  void fields(FieldVisitor& v) {
    v.field("labels", labels);
    v.field("sizes", sizes);
    v.field("ignore", ignore);
  }
  int64_t count() const { return static_cast<int64_t>(sizes.size()); }
  void check(const std::string& op) const {
    double total = 0;
    for (double s : sizes) {
      require(s >= 1 && s == std::floor(s), "RANGE", op + ": a region needs at least one label");
      total += s;
    }
    require(total == static_cast<double>(labels.size()), "SHAPE",
            op + ": the sizes of the regions add up to " + text_of(total) + ", there are " +
                std::to_string(labels.size()) + " labels");
    for (double v : labels) require_label(v, op);
    require(ignore.size() <= 1, "SHAPE",
            op + ": there are " + std::to_string(ignore.size()) + " ignore labels, allowed is one");
    for (double v : ignore) require_label(v, op);
  }
  static void require_label(double v, const std::string& op) {
    require(is_label(v), "RANGE",
            op + ": label is " + text_of(v) + ", allowed are whole numbers from 0 to " + std::to_string(kLabels - 1));
  }
  bool ignores(double reference) const { return !ignore.empty() && reference == ignore[0]; }
  bool holds(int64_t region, double label) const {
    for (int64_t i = first_of(region), end = first_of(region + 1); i < end; i++)
      if (labels[i] == label) return true;
    return false;
  }
  // Where the labels of a region begin.
  int64_t first_of(int64_t region) const {
    int64_t first = 0;
    for (int64_t r = 0; r < region; r++) first += static_cast<int64_t>(sizes[r]);
    return first;
  }
};

inline void require_label_pair(const Inputs& in, const Regions& regions, const std::string& op) {
  require_dense(in[0].layout, op, "prediction");
  require_same(in[1].layout, in[0].layout, op, "reference");
  require_shape(in[0].layout.channels() == 1,
                op + ": label volumes have one channel, got " + to_string(in[0].layout.shape));
  regions.check(op);
  require(regions.count() >= 1 && regions.count() <= kMostRegions, "RANGE",
          op + ": got " + std::to_string(regions.count()) + " regions, allowed are 1 to " +
              std::to_string(kMostRegions));
}

// What CUDA keeps: a bit for every label of every region, and counts of fixed splits: TP, FP, FN, TN of a region and
// what is no label in prediction and reference.
struct CountParts {
  static constexpr int64_t kWords = kLabels / 32, kCounts = 6;
  uint32_t* bits;
  int32_t* partial;  // [region][split][count]

  CountParts(Parts& parts, int64_t regions, int64_t voxels)
      : bits(parts.take<uint32_t>(regions * kWords)),
        partial(parts.take<int32_t>(regions * ElementSplits::of(voxels).splits * kCounts)) {}
};

struct LabelCounts : Descriptor {
  Regions regions;

  void fields(FieldVisitor& v) override { regions.fields(v); }
  Layouts infer(const Inputs& in) const override {
    require_label_pair(in, regions, "label_counts");
    return {plain(in[0].layout, {3, {regions.count(), 4, 2}}), plain(in[0].layout, {2, {2, 2}})};
  }
  int64_t cuda_workspace(const Inputs& in) const override {
    Parts parts;
    CountParts(parts, regions.count(), in[0].layout.voxels());
    return parts.bytes();
  }
};

template <class T>
HOST_DEVICE void put_count(int64_t count, T* to) {
  to[0] = static_cast<T>(count >> 24);
  to[1] = static_cast<T>(count & ((1 << 24) - 1));
}

}  // namespace voxelspark
