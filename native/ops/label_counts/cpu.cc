#include <algorithm>
#include <map>

#include "device/parallel.h"
#include "ops/label_counts/label_counts.h"

namespace voxelspark {

DEFINE_KERNEL(label_counts, LabelCounts)

namespace {

// Voxels that lie in the same regions are one class: 0 = no region, then one for each combination of regions that a
// label has, then ignored and invalid. One table look-up a voxel and a small confusion matrix do the rest.
struct Classes {
  std::vector<int32_t> of;                    // by label
  std::vector<std::vector<int64_t>> members;  // by class: regions
  int64_t invalid, count;
  int32_t ignored = -1;

  explicit Classes(const Regions& regions) : of(kLabels, 0) {
    std::map<int64_t, std::vector<int64_t>> by_label;
    for (int64_t r = 0, i = 0; r < regions.count(); r++)
      for (int64_t k = 0; k < static_cast<int64_t>(regions.sizes[r]); k++) {
        auto& list = by_label[static_cast<int64_t>(regions.labels[i++])];
        if (list.empty() || list.back() != r) list.push_back(r);
      }
    std::map<std::vector<int64_t>, int32_t> known;
    members.emplace_back();
    for (const auto& [label, list] : by_label) {
      const auto [entry, fresh] = known.emplace(list, static_cast<int32_t>(members.size()));
      if (fresh) members.push_back(list);
      of[label] = entry->second;
    }
    invalid = static_cast<int64_t>(members.size());
    members.emplace_back();
    count = static_cast<int64_t>(members.size());
    if (!regions.ignore.empty()) ignored = static_cast<int32_t>(regions.ignore[0]);
  }
  int64_t at(float v) const {
    if (!(v >= 0 && v < kLabels)) return invalid;
    const auto label = static_cast<int32_t>(v);
    return static_cast<float>(label) == v ? of[label] : invalid;
  }
};

// Confusion of classes, prediction by reference; ignored voxels apart, since they may still be invalid.
struct Confusion {
  std::vector<int64_t> cells;
  int64_t invalid_under_ignore = 0;
};

}  // namespace

static void confuse(const Classes& classes, const float* p, const float* r, int64_t n, Confusion& to) {
  const auto ignored = static_cast<float>(classes.ignored);
  for (int64_t i = 0; i < n; i++) {
    const int64_t a = classes.at(p[i]);
    if (r[i] == ignored && classes.ignored >= 0) to.invalid_under_ignore += a == classes.invalid;
    else to.cells[a * classes.count + classes.at(r[i])]++;
  }
}

static bool in(const std::vector<int64_t>& list, int64_t region) {
  return std::binary_search(list.begin(), list.end(), region);
}

void label_counts_cpu(const Descriptor& d, const Launch& l) {
  const Regions& regions = as<LabelCounts>(d).regions;
  const Classes classes(regions);
  const int64_t voxels = l.inputs[0].layout.voxels(), cells = classes.count * classes.count;
  // As many pieces as threads may want, as long as their matrices stay small beside the volumes.
  const int64_t pieces = std::clamp<int64_t>(std::min(voxels >> 16, (int64_t(1) << 20) / cells), 1, 64);
  const int64_t grain = (voxels + pieces - 1) / pieces;
  std::vector<Confusion> parts(pieces, Confusion{std::vector<int64_t>(cells)});
  parallel_ranges(voxels, grain, [&](int64_t begin, int64_t end) {
    confuse(classes, l.inputs[0].f32() + begin, l.inputs[1].f32() + begin, end - begin, parts[begin / grain]);
  });

  std::vector<int64_t> counts(regions.count() * 4);
  int64_t invalid[2] = {0, 0};
  for (const Confusion& part : parts) {
    invalid[0] += part.invalid_under_ignore;
    for (int64_t a = 0; a < classes.count; a++)
      for (int64_t b = 0; b < classes.count; b++) {
        const int64_t n = part.cells[a * classes.count + b];
        if (n == 0) continue;
        if (a == classes.invalid) invalid[0] += n;
        if (b == classes.invalid) invalid[1] += n;
        for (int64_t k = 0; k < regions.count(); k++) {
          const bool predicted = in(classes.members[a], k), wanted = in(classes.members[b], k);
          counts[k * 4 + (predicted ? (wanted ? 0 : 1) : (wanted ? 2 : 3))] += n;
        }
      }
  }
  for (size_t i = 0; i < counts.size(); i++) put_count(counts[i], l.outputs[0].f32() + i * 2);
  for (int side = 0; side < 2; side++) put_count(invalid[side], l.outputs[1].f32() + side * 2);
}

}  // namespace voxelspark
