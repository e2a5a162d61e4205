#include <map>

#include "ops/resample/spline.h"
#include "ops/resample_labels/resample_labels.h"

namespace voxelspark {

void resample_labels_reference(const Descriptor& d, const Launch& l) {
  const auto& op = as<ResampleLabels>(d);
  const Shape& s = l.inputs[0].layout.shape;
  const int64_t n[3] = {s[2], s[3], s[4]};
  by_dtype(l.inputs[0].layout.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* x = l.inputs[0].as<T>();
    T* out = l.outputs[0].as<T>();
    for (int64_t sample = 0; sample < s.samples(); sample++, x += s.size().product())
      for (int64_t i = 0; i < op.size.product(); i++) {
        const double p[4] = {static_cast<double>(i / (op.size.y * op.size.x)),
                             static_cast<double>(i / op.size.x % op.size.y), static_cast<double>(i % op.size.x), 1};
        double place[3] = {0, 0, 0};
        for (int a = 0; a < 3; a++)
          for (int b = 0; b < 4; b++) place[a] += op.matrix[a * 4 + b] * p[b];
        AffineTaps taps;
        const bool inside = taps.place(place, n, 1);
        std::map<T, double> votes;
        taps.each(n, [&](int64_t voxel, double w) { votes[x[voxel]] += w; });
        auto best = votes.begin();
        for (auto v = votes.begin(); v != votes.end(); ++v)
          if (v->second > best->second) best = v;
        *out++ = inside ? best->first : static_cast<T>(op.outside);
      }
  });
}

}  // namespace voxelspark
