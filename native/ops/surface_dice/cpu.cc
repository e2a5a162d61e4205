#include <algorithm>

#include "device/parallel.h"
#include "ops/surface_dice/surface_dice.h"
#include "ops/surface_dice/surfels.h"

namespace voxelspark {

DEFINE_KERNEL(surface_dice, SurfaceDice)

namespace {

// Which labels a region holds, by label.
std::vector<uint8_t> table_of(const Regions& regions, int64_t region) {
  std::vector<uint8_t> table(kLabels, 0);
  for (int64_t i = regions.first_of(region), end = regions.first_of(region + 1); i < end; i++)
    table[static_cast<int64_t>(regions.labels[i])] = 1;
  return table;
}

uint8_t look_up(const std::vector<uint8_t>& table, float v) {
  if (!(v >= 0 && v < kLabels)) return 0;
  const auto label = static_cast<int32_t>(v);
  return static_cast<float>(label) == v ? table[label] : 0;
}

// The voxels of a region in both volumes: bit 0 prediction, bit 1 reference; and the box around them.
struct Inside {
  Int3 size, begin, end;
  std::vector<uint8_t> bits;

  Inside(const Regions& regions, int64_t region, const Launch& l) : size(l.inputs[0].layout.shape.size()) {
    const auto table = table_of(regions, region);
    const float *p = l.inputs[0].f32(), *r = l.inputs[1].f32();
    bits.resize(size.product());
    std::vector<Int3> low(size.z, size), high(size.z, {0, 0, 0});  // of each plane
    const int64_t plane = size.y * size.x;
    parallel_items(size.z, plane, [&](int64_t z) {
      for (int64_t y = 0; y < size.y; y++)
        for (int64_t x = 0; x < size.x; x++) {
          const int64_t i = z * plane + y * size.x + x;
          if (regions.ignores(r[i])) continue;
          bits[i] = static_cast<uint8_t>(look_up(table, p[i]) | look_up(table, r[i]) << 1);
          if (!bits[i]) continue;
          low[z] = {z, std::min(low[z].y, y), std::min(low[z].x, x)};
          high[z] = {z + 1, std::max(high[z].y, y + 1), std::max(high[z].x, x + 1)};
        }
    });
    begin = size;
    for (int64_t z = 0; z < size.z; z++) {
      if (high[z].z == 0) continue;
      begin = {std::min(begin.z, z), std::min(begin.y, low[z].y), std::min(begin.x, low[z].x)};
      end = {z + 1, std::max(end.y, high[z].y), std::max(end.x, high[z].x)};
    }
  }
  bool empty() const { return end.z == 0; }
};

// The surfels of one volume: a code for every corner of voxels in the box, 0 and 255 where there is none.
struct Codes {
  Int3 size;
  std::vector<uint8_t> code;

  Codes(const Inside& inside, int side) : size(inside.end - inside.begin + Int3{1, 1, 1}), code(size.product()) {
    const Int3 all = inside.size;
    parallel_items(size.z, size.y * size.x * 8, [&](int64_t z) {
      for (int k = 0; k < 4; k++) {  // the four rows of voxels around a row of corners
        const int64_t from = inside.begin.z + z - 1 + (k >> 1);
        if (from < 0 || from >= all.z) continue;
        for (int64_t y = 0; y < size.y; y++) {
          const int64_t row = inside.begin.y + y - 1 + (k & 1);
          if (row < 0 || row >= all.y) continue;
          const uint8_t* bits = &inside.bits[(from * all.y + row) * all.x + inside.begin.x];
          uint8_t* to = &code[(z * size.y + y) * size.x];
          for (int64_t x = 0; x + 1 < size.x; x++) {
            const int bit = bits[x] >> side & 1;
            to[x] = static_cast<uint8_t>(to[x] | bit << (2 * k + 1));
            to[x + 1] = static_cast<uint8_t>(to[x + 1] | bit << (2 * k));
          }
        }
      }
    });
  }
};

bool reaches(const Codes& other, const std::vector<Int3>& steps, int64_t z, int64_t y, int64_t x) {
  const Int3 size = other.size;
  for (const Int3& s : steps) {
    const int64_t a = z + s.z, b = y + s.y, c = x + s.x;
    if (a < 0 || b < 0 || c < 0 || a >= size.z || b >= size.y || c >= size.x) continue;
    if (is_surface(other.code[(a * size.y + b) * size.x + c])) return true;
  }
  return false;
}

void measure(const Codes& of, const Codes& other, const std::vector<Int3>& steps,
             const std::array<double, 256>& area_of, float* areas) {
  std::vector<double> within(of.size.z), all(of.size.z);
  parallel_for(of.size.z, [&](int64_t z) {
    const uint8_t* code = &of.code[z * of.size.y * of.size.x];
    for (int64_t y = 0; y < of.size.y; y++)
      for (int64_t x = 0; x < of.size.x; x++, code++) {
        if (!is_surface(*code)) continue;
        all[z] += area_of[*code];
        if (reaches(other, steps, z, y, x)) within[z] += area_of[*code];
      }
  });
  double total[2] = {0, 0};
  for (int64_t z = 0; z < of.size.z; z++) {
    total[0] += within[z];
    total[1] += all[z];
  }
  for (int i = 0; i < 2; i++) areas[i] = static_cast<float>(total[i]);
}

}  // namespace

void surface_dice_cpu(const Descriptor& d, const Launch& l) {
  const auto& op = as<SurfaceDice>(d);
  const auto area_of = surfel_areas(op.spacing);
  const auto steps = steps_within(op);
  for (int64_t r = 0; r < op.regions.count(); r++) {
    float* areas = l.outputs[0].f32() + r * 4;
    std::fill_n(areas, 4, 0.0f);
    const Inside inside(op.regions, r, l);
    if (inside.empty()) continue;
    const Codes prediction(inside, 0), reference(inside, 1);
    measure(prediction, reference, steps, area_of, areas);
    measure(reference, prediction, steps, area_of, areas + 2);
  }
}

}  // namespace voxelspark
