#include "ops/label_counts/label_counts.h"

namespace voxelspark {

void label_counts_reference(const Descriptor& d, const Launch& l) {
  const Regions& regions = as<LabelCounts>(d).regions;
  by_dtype(l.inputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T *p = l.inputs[0].as<T>(), *r = l.inputs[1].as<T>();
    const int64_t voxels = l.inputs[0].layout.voxels();
    for (int64_t k = 0; k < regions.count(); k++) {
      int64_t counts[4] = {0, 0, 0, 0};
      for (int64_t i = 0; i < voxels; i++) {
        if (regions.ignores(r[i])) continue;
        const bool predicted = regions.holds(k, p[i]), wanted = regions.holds(k, r[i]);
        counts[predicted ? (wanted ? 0 : 1) : (wanted ? 2 : 3)]++;
      }
      for (int i = 0; i < 4; i++) put_count(counts[i], l.outputs[0].as<T>() + (k * 4 + i) * 2);
    }
    for (int side = 0; side < 2; side++) {
      int64_t invalid = 0;
      for (int64_t i = 0; i < voxels; i++) invalid += !is_label(side ? r[i] : p[i]);
      put_count(invalid, l.outputs[1].as<T>() + side * 2);
    }
  });
}

}  // namespace voxelspark
