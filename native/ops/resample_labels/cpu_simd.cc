// Most places have eight equal neighbours: a vector of them is compared at once, and only the others vote.
#include "ops/resample/places.h"
#include "ops/resample_labels/simd.h"

namespace voxelspark {

// The heaviest of eight labels, ties to the lowest; weights of equal labels are added in their order.
static VS_INLINE float vote(const float label[8], const float weight[8]) {
  float best = label[0], most = -1;
  for (int i = 0; i < 8; i++) {
    float sum = 0;
    for (int j = 0; j < 8; j++) sum += label[j] == label[i] ? weight[j] : 0.0f;
    const bool wins = sum > most || (sum == most && label[i] < best);
    best = wins ? label[i] : best;
    most = wins ? sum : most;
  }
  return best;
}

void SIMD(label_row)(const AffineRow& r) {
  const Steps step = steps_of(r.size);
  Places p;
  const float *v = r.volume, *vx = v + step.x;
  for (int64_t first = 0; first < r.count; first += kRun) {
    find_places(r, first, p);
    float value[kRun];
    int32_t votes[kRun];
    for (int i = 0; i < kRun; i += kLanes) {
      const Index a = load(p.at + i), b = a + step.y, c = a + step.z, d = c + step.y;
      const Vec l = gather(v, a);
      const Index equal = (gather(vx, a) == l) & (gather(v, b) == l) & (gather(vx, b) == l) & (gather(v, c) == l) &
                          (gather(vx, c) == l) & (gather(v, d) == l) & (gather(vx, d) == l);
      const Index inside = load(p.inside + i) != 0;
      store(value + i, inside ? l : all(r.outside));
      store(votes + i, inside & ~equal);
    }
    const int64_t left = r.count - first;
    for (int64_t i = 0; i < (left < kRun ? left : kRun); i++) {
      if (votes[i]) {
        const float z = p.t[0][i], y = p.t[1][i], x = p.t[2][i];
        float label[8], weight[8];
        for (int k = 0; k < 8; k++) {
          label[k] = v[p.at[i] + (k & 4 ? step.z : 0) + (k & 2 ? step.y : 0) + (k & 1 ? step.x : 0)];
          weight[k] = (k & 4 ? z : 1 - z) * (k & 2 ? y : 1 - y) * (k & 1 ? x : 1 - x);
        }
        value[i] = vote(label, weight);
      }
      r.out[first + i] = value[i];
    }
  }
}

}  // namespace voxelspark
