// Host side of the host/device functions that kernels take their indices from, against brute force. Compiled and run by
// index-arithmetic.check.ts; prints what is wrong.
#include <cstdio>
#include <functional>
#include <random>
#include <set>

#include "ops/folded_conv3d/cuda_places.cuh"
#include "ops/gaussian_noise/cuda_normal.cuh"
#include "ops/label_counts/cuda_labels.cuh"
#include "ops/mirror/cuda_partner.cuh"
#include "ops/resample/band.h"
#include "ops/resample/cuda_affine.cuh"
#include "ops/resample/slices.h"
#include "ops/surface_dice/cuda_corners.cuh"

using namespace voxelspark;

static int failures = 0;
#define EXPECT(condition)                                                                       \
  do {                                                                                          \
    if (!(condition) && failures++ < 20) std::printf("line %d: not so: %s\n", __LINE__, #condition); \
  } while (false)

static std::mt19937 random_words(20240229);
static int draw(int low, int high) { return low + static_cast<int>(random_words() % static_cast<unsigned>(high - low + 1)); }
static double uniform(double low, double high) { return low + (high - low) * (random_words() / 4294967296.0); }
static Extent draw_extent(int high) { return {draw(1, high), draw(1, high), draw(1, high)}; }
static BlockView dense(Extent size) { return {nullptr, nullptr, nullptr, size, size, {1, 1, 1}}; }

// Every voxel of a volume.
template <class Visit>
static void each(Extent size, const Visit& visit) {
  for (int z = 0; z < size.z; z++)
    for (int y = 0; y < size.y; y++)
      for (int x = 0; x < size.x; x++) visit(Voxel{0, z, y, x});
}

static void mirrors() {
  for (int i = 0; i < 40; i++) {
    const Extent size = draw_extent(6);
    const bool z = i & 1, y = i & 2, x = i & 4;
    const MirrorView view{dense(size), z, y, x};
    for (int64_t v = 0; v < 2 * size.product(); v++) {
      const int64_t other = view.partner(v), n = v / size.product();
      EXPECT(view.partner(other) == v && other / size.product() == n);
      const Voxel a = view.blocks.position(v), b = view.blocks.position(other);
      EXPECT(z ? a.z + b.z == size.z - 1 : a.z == b.z);
      EXPECT(y ? a.y + b.y == size.y - 1 : a.y == b.y);
      EXPECT(x ? a.x + b.x == size.x - 1 : a.x == b.x);
    }
  }
}

// The known answers of the authors' library.
static void random_numbers() {
  const auto is = [](PhiloxWords found, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    return found.w[0] == a && found.w[1] == b && found.w[2] == c && found.w[3] == d;
  };
  EXPECT(is(philox({{0, 0, 0, 0}}, 0, 0), 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  const uint32_t ones = 0xffffffff;
  EXPECT(is(philox({{ones, ones, ones, ones}}, ones, ones), 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
  EXPECT(is(philox({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0), 0xd16cfe09, 0x94fdcceb,
            0x5001e420, 0x24126ea1));
  const uint32_t corners[] = {0,          1,          0x1fffffff, 0x20000000, 0x5fffffff, 0x60000000,
                              0x7fffffff, 0x80000000, 0xa0000000, 0xe0000000, 0xfffffffe, 0xffffffff};
  const auto agree = [](uint32_t a, uint32_t b) {
    const double radius = std::sqrt(-2 * std::log((a + 0.5) / 4294967296.0));
    const double angle = 2 * 3.14159265358979323846 * (b / 4294967296.0), bound = 4e-7 * radius;
    const NormalPair found = normal_pair(a, b);
    EXPECT(std::abs(found.cosine - radius * std::cos(angle)) <= bound);
    EXPECT(std::abs(found.sine - radius * std::sin(angle)) <= bound);
  };
  for (const uint32_t a : corners)
    for (const uint32_t b : corners) agree(a, b);
  for (int i = 0; i < 100000; i++) {
    const auto a = static_cast<uint32_t>(random_words());
    agree(a, static_cast<uint32_t>(random_words()));
  }
}

// By walking to and fro.
static int reflected(int k, int n) {
  int at = 0, step = 1;
  for (int i = 0; i < std::abs(k); i++) {
    if (n == 1) return 0;
    if (at + step < 0 || at + step >= n) step = -step;
    at += step;
  }
  if (k >= 0 || n == 1) return at;
  return at;  // the line is symmetric about sample 0
}

template <int kOrder>
static void axis_reads() {
  for (int n = 1; n < 9; n++)
    for (int i = 0; i < 200; i++) {
      const double c = i % 5 == 0 ? draw(-1, n) : uniform(-1, n);
      AxisRead<kOrder> read;
      EXPECT(read.set(c, n) == (c >= -1e-9 && c <= n - 1 + 1e-9));
      const double inside = std::min(std::max(c, 0.0), n - 1.0);
      double sum = 0;
      for (int k = 0; k < n; k++) sum += read.weight_of(k);
      EXPECT(std::abs(sum - 1) < 1e-6);
      for (int k = 0; k < n; k++) {
        double wanted = 0;
        for (int image = -6; image < n + 6; image++) {
          if (reflected(image, n) != k) continue;
          const double d = std::abs(inside - image);
          if (kOrder == 0) wanted += image == std::floor(inside + 0.5);
          if (kOrder == 1) wanted += std::max(0.0, 1 - d);
          if (kOrder == 3) wanted += d < 1 ? (4 - 6 * d * d + 3 * d * d * d) / 6 : d < 2 ? std::pow(2 - d, 3) / 6 : 0;
        }
        EXPECT(std::abs(read.weight_of(k) - wanted) < 1e-6);
      }
    }
}

// No output that reads a voxel is missing among its candidates.
template <int kOrder>
static void affine_readers() {
  for (int i = 0; i < 60; i++) {
    const Extent from = draw_extent(5), to = draw_extent(6);
    AffineView view{{}, from, to};
    for (int k = 0; k < 12; k++) {
      view.m[k] = i % 3 == 0 ? draw(-1, 1) : uniform(-1.5, 1.5);
      if (i % 3 == 1) view.m[k] = (k % 5 == 0 ? 1 : 0) + uniform(-0.3, 0.3);
      if (k % 4 == 3) view.m[k] += uniform(0, 2);
      if (i % 4 == 0 && k >= 4 && k < 7) view.m[k] = 2 * view.m[k - 4];  // no inverse
    }
    const AffineReaders readers = readers_of(view, kOrder);
    each(from, [&](Voxel v) {
      const Span zs = readers.along(0, v), ys = readers.along(1, v), xs = readers.along(2, v);
      each(to, [&](Voxel p) {
        AxisRead<kOrder> z, y, x;
        if (!view.read(p, z, y, x) || z.weight_of(v.z) * y.weight_of(v.y) * x.weight_of(v.x) == 0) return;
        EXPECT(p.z >= zs.first && p.z <= zs.last && p.y >= ys.first && p.y <= ys.last);
        const Span row = readers.in_row(xs, p.z, p.y, v);
        EXPECT(p.x >= row.first && p.x <= row.last && row.first >= 0 && row.last < to.x);
      });
    });
  }
}

static void bands() {
  const auto check = [](int64_t rows, int64_t columns, const std::vector<BandEntry>& entries, bool rows_add_to_one) {
    const Band band(rows, columns, entries);
    EXPECT(band.width <= widest_band(rows, columns));
    std::vector<double> wanted(rows * columns), found(rows * columns);
    for (const BandEntry& e : entries) wanted[e.row * columns + e.column] += e.weight;
    for (int64_t r = 0; r < rows; r++) {
      EXPECT(band.first[r] >= 0 && band.first[r] + band.width <= columns);
      double sum = 0;
      for (int64_t t = 0; t < band.width; t++) {
        found[r * columns + band.first[r] + t] = band.weight[r * band.width + t];
        sum += band.weight[r * band.width + t];
      }
      EXPECT(!rows_add_to_one || std::abs(sum - 1) < 1e-6);
    }
    for (size_t i = 0; i < wanted.size(); i++) EXPECT(std::abs(found[i] - wanted[i]) < 1e-6);
  };
  const int sizes[] = {1, 2, 3, 5, 16, 33, 34, 70, 150};
  for (const int n : sizes) {
    check(n, n, filter_entries(n), true);
    check(n, n, transposed(filter_entries(n)), false);
    for (const int m : sizes)
      for (const int order : {0, 1, 3}) {
        check(m, n, resize_entries(n, m, order), true);
        check(n, m, transposed(resize_entries(n, m, order)), false);
      }
  }
}

static void slices() {
  for (int i = 0; i < 60; i++) {
    const Extent e = draw_extent(5);
    const int samples = draw(1, 3), channels = draw(1, 3), axis = i % 4 - 1;
    const Slices s = Slices::of(samples, channels, {e.z, e.y, e.x}, axis);
    std::set<int64_t> seen;
    for (int64_t group = 0; group < s.groups(); group++)
      for (int64_t v = 0; v < s.voxels(); v++) {
        const int64_t element = s.element(group, v), voxel = element / channels;
        EXPECT(s.group_of(element) == group && seen.insert(element).second);
        const Voxel at = dense(e).position(voxel);
        const int along = axis < 0 ? 0 : axis == 0 ? at.z : axis == 1 ? at.y : at.x;
        EXPECT((at.n * s.slices + along) * channels + element % channels == group);
      }
    EXPECT(static_cast<int64_t>(seen.size()) == samples * e.product() * channels);
  }
}

static void labels() {
  EXPECT(label_of(0) == 0 && label_of(65535) == 65535 && label_of(65536) == -1 && label_of(-1) == -1);
  EXPECT(label_of(0.5f) == -1 && label_of(NAN) == -1 && label_of(INFINITY) == -1 && label_of(-0.0f) == 0);
  Regions regions;
  regions.labels = {3, 65535, 32, 3, 31};
  regions.sizes = {2, 1, 2};
  regions.ignore = {7};
  const auto bits = region_bits(regions);
  for (int r = 0; r < 3; r++) {
    const RegionBits region = region_of(regions, bits.data(), r);
    for (int label = -1; label < 65536; label++) EXPECT(region.holds(label) == (label >= 0 && regions.holds(r, label)));
    EXPECT(!region.counts(7) && region.counts(0));
  }
}

static void corners() {
  for (int i = 0; i < 30; i++) {
    const Corners corners{draw_extent(5)};
    for (int64_t c = 0; c < corners.count(); c++) {
      const Voxel at = corners.at(c);
      EXPECT(corners.find(at.z, at.y, at.x) == c);
      for (int k = 0; k < 8; k++) {
        const Voxel v{0, at.z - 1 + k / 4, at.y - 1 + k / 2 % 2, at.x - 1 + k % 2};
        EXPECT(corners.voxel(at, k) == dense(corners.size).find(v));
      }
    }
    EXPECT(corners.find(-1, 0, 0) < 0 && corners.find(0, corners.size.y + 1, 0) < 0);
  }
}

static void places() {
  for (int i = 0; i < 60; i++) {
    const Extent size = draw_extent(5);
    const int samples = draw(1, 3);
    std::set<int64_t> seen;
    for (int64_t place = 0; place < kPlaces; place++) {
      const PlaceBox box(place, size);
      for (int64_t v = 0; v < samples * box.extent.product(); v++) {
        EXPECT(place_of(dense(size).position(box.voxel(v)), size) == place);
        EXPECT(seen.insert(box.voxel(v)).second);
      }
    }
    EXPECT(static_cast<int64_t>(seen.size()) == samples * size.product());
  }
}

static void near_tiles() {
  for (int i = 0; i < 60; i++) {
    const Extent cells = draw_extent(3), edge = draw_extent(6);
    const Extent size{cells.z * edge.z, cells.y * edge.y, cells.x * edge.x};
    const Extent kernel{draw(0, 1) * 2 + 1, draw(0, 1) * 2 + 1, draw(0, 1) * 2 + 1};
    const int samples = draw(1, 2);
    std::vector<uint8_t> visible(samples * cells.product());
    for (uint8_t& v : visible) v = draw(0, 5) == 0;
    std::vector<int32_t> block_of, cell_of, first_block;
    for (size_t c = 0; c < visible.size(); c++) {
      if (c % cells.product() == 0) first_block.push_back(static_cast<int32_t>(cell_of.size()));
      block_of.push_back(visible[c] ? static_cast<int32_t>(cell_of.size()) : -1);
      if (visible[c]) cell_of.push_back(static_cast<int32_t>(c));
    }
    first_block.push_back(static_cast<int32_t>(cell_of.size()));
    const NearTiles tiles{{block_of.data(), cell_of.data(), first_block.data(), size, edge, cells}, kernel};
    std::set<int64_t> seen;
    for (int64_t t = 0; t < samples * tiles.of_sample(); t++) {
      const Voxel corner = tiles.corner(t);
      bool near = false;
      for (int k = 0; k < NearTiles::kVoxels; k++) {
        const Voxel v = NearTiles::voxel(corner, k);
        const int64_t at = dense(size).find(v);
        if (at >= 0) EXPECT(v.n < samples && seen.insert(at).second);
        each(kernel, [&](Voxel tap) {
          const Voxel u{v.n, v.z + tap.z - kernel.z / 2, v.y + tap.y - kernel.y / 2, v.x + tap.x - kernel.x / 2};
          near = near || (at >= 0 && tiles.source.find(u) >= 0);
        });
      }
      EXPECT(tiles.near(corner) || !near);  // none is left out; those at the end may be visited for nothing
      const bool whole = corner.z + 4 <= size.z && corner.y + 4 <= size.y && corner.x + 4 <= size.x;
      EXPECT(tiles.near(corner) == near || !whole);
    }
    EXPECT(static_cast<int64_t>(seen.size()) == samples * size.product());
  }
}

static void parts() {
  char memory[4096];
  Parts counted, given(memory);
  counted.take<double>(3);
  counted.take<char>(300);
  EXPECT(counted.bytes() == 768);
  EXPECT(reinterpret_cast<char*>(given.take<double>(3)) == memory && given.take<char>(300) == memory + 256);
  EXPECT(given.bytes() == counted.bytes());
}

int main() {
  mirrors();
  random_numbers();
  axis_reads<0>();
  axis_reads<1>();
  axis_reads<3>();
  affine_readers<0>();
  affine_readers<1>();
  affine_readers<3>();
  bands();
  slices();
  labels();
  corners();
  places();
  near_tiles();
  parts();
  return failures ? 1 : 0;
}
