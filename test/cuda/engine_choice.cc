// Which kernel computes which convolution, and that plans cover their work, by definition. Compiled and run by
// engine-choice.check.ts; prints what is wrong.
#include <cstdio>
#include <cstdlib>

#include "ops/conv3d/cuda_cells.cuh"
#include "ops/conv3d/cuda_engine.h"

using namespace voxelspark;

static int failures = 0;
#define EXPECT(condition)                                                                            \
  do {                                                                                               \
    if (!(condition) && failures++ < 20) std::printf("line %d: not so: %s\n", __LINE__, #condition); \
  } while (false)

static const Int3 kOne{1, 1, 1}, kNone{0, 0, 0};
static const ConvGeometry kThree{{3, 3, 3}, kOne, kOne}, kStrided{{3, 3, 3}, {2, 2, 2}, kOne},
    kPoint{kOne, kOne, kNone};

static std::shared_ptr<const BlockGrid> grid(int64_t cells) {
  const std::vector<uint8_t> visible(static_cast<size_t>(cells * cells * cells), 1);
  return std::make_shared<BlockGrid>(1, Int3{cells, cells, cells}, visible.data());
}
static Layout map(int64_t channels, int64_t edge, std::shared_ptr<const BlockGrid> g = nullptr) {
  return {feature_shape(1, channels, {edge, edge, edge}), DType::bfloat16, std::move(g)};
}
static ConvEngine engine(const ConvGeometry& g, const Layout& x, const Layout& y) {
  return choose_engine({g, false, x, y});
}

static void engines() {
  const auto cells = grid(2);
  Layout wide = map(32, 16, cells);
  EXPECT(engine(kThree, wide, map(64, 16, cells)) == ConvEngine::tensor_halo);
  EXPECT(choose_weight_engine(kThree, wide, map(64, 16, cells)) == ConvEngine::tensor_halo);
  EXPECT(engine(kThree, map(32, 8, cells), map(64, 8, cells)) == ConvEngine::tensor_gather);  // blocks of edge 4
  EXPECT(engine(kThree, map(40, 16, cells), map(64, 16, cells)) == ConvEngine::tensor_gather);
  EXPECT(engine(kThree, map(32, 2), map(32, 2)) == ConvEngine::tensor_gather);  // tiles nearly empty
  EXPECT(engine(kStrided, wide, map(64, 8, cells)) == ConvEngine::tensor_gather);
  EXPECT(engine(kPoint, wide, map(1, 16, cells)) == ConvEngine::tensor_gather);
  EXPECT(choose_weight_engine(kPoint, wide, map(1, 16, cells)) == ConvEngine::pointwise);
  EXPECT(choose_weight_engine(kPoint, wide, map(8, 16, cells)) == ConvEngine::tensor_gather);
  EXPECT(choose_weight_engine(kPoint, map(32, 16), map(1, 16, cells)) == ConvEngine::gather);  // other voxels
  EXPECT(choose_engine({kPoint, true, map(3, 16, cells), wide}) == ConvEngine::pointwise);
  EXPECT(choose_engine({kPoint, true, map(3, 16), map(32, 16), 8}) == ConvEngine::gather);
  EXPECT(engine(kThree, map(1, 16, cells), map(32, 16, cells)) == ConvEngine::stem);
  EXPECT(choose_weight_engine(kThree, map(4, 16), map(64, 16)) == ConvEngine::stem);
  EXPECT(engine(kThree, map(5, 16), map(32, 16)) == ConvEngine::gather);
  EXPECT(engine(kThree, map(1, 16), map(40, 16)) == ConvEngine::gather);
  EXPECT(engine(kThree, map(1, 8, cells), map(32, 8, cells)) == ConvEngine::gather);  // blocks of edge 4
  wide.dtype = DType::float32;
  EXPECT(engine(kThree, wide, wide) == ConvEngine::gather);
  EXPECT(convolution_workspace({kThree, false, wide, wide}) == 0);
}

// Runs of 8 channels must not go on into a second map; the gather GEMM stores channel by channel where they would.
static void joined_maps() {
  const Layout two = map(64, 16), one = map(32, 16), narrow = map(24, 16);
  const auto forward = [&](const Layout& x, int64_t split) { return choose_engine({kThree, false, x, one, split}); };
  const auto adjoint = [&](const Layout& gx, int64_t split) { return choose_engine({kThree, true, one, gx, split}); };
  const auto weight = [&](const Layout& x, int64_t split) { return choose_weight_engine(kThree, x, one, split); };
  for (const int64_t split : {8, 32, 40}) {
    EXPECT(forward(two, split) == ConvEngine::tensor_halo && adjoint(two, split) == ConvEngine::tensor_halo);
    EXPECT(weight(two, split) == ConvEngine::tensor_halo);
  }
  EXPECT(forward(narrow, 16) == ConvEngine::tensor_gather && weight(narrow, 16) == ConvEngine::tensor_gather);
  for (const int64_t split : {1, 4, 27, 63}) {
    EXPECT(forward(two, split) == ConvEngine::gather && weight(two, split) == ConvEngine::gather);
    EXPECT(adjoint(two, split) == ConvEngine::tensor_gather);
  }
  EXPECT(convolution_workspace({kThree, false, two, one, 27}) == 0);
  const int64_t rows = convolution_workspace({kThree, true, one, two, 27});
  EXPECT(rows >= TensorGemmPlan::of(kThree, true, one, two).bytes());
}

template <class Call>
static bool refused(const Call& call) {
  try {
    call();
  } catch (const Failure&) {
    return true;
  }
  return false;
}

static void forms() {
  EXPECT(choose_product_form(80, nullptr) == ProductForm::warps);
  EXPECT(choose_product_form(90, nullptr) == ProductForm::warps);
  EXPECT(choose_product_form(90, "shared") == ProductForm::shared);
  EXPECT(choose_product_form(90, "registers") == ProductForm::registers);
  EXPECT(refused([] { choose_product_form(100, "shared"); }));
  EXPECT(refused([] { choose_product_form(90, "fast"); }));
}

// Tiles of warpgroups cover all columns, a tenth of them for nothing at most, and the workspace suits both forms.
static void groups() {
  const int expected[][2] = {{40, 64},  {64, 64},   {72, 128},  {128, 128}, {160, 160},
                             {192, 64}, {256, 256}, {320, 160}, {448, 160}};
  for (const auto& [channels, columns] : expected) EXPECT(group_columns(channels) == columns);
  const auto plan = [](const ConvGeometry& g, bool adjoint, const Layout& x, const Layout& y) {
    return TensorGemmPlan::of_groups(g, adjoint, x, y);
  };
  const auto cells = grid(4);
  EXPECT(plan(kStrided, false, map(32, 16), map(64, 8)).possible);
  EXPECT(!plan(kStrided, false, map(40, 16), map(64, 8)).possible);  // half of a step for nothing
  EXPECT(!plan(kStrided, false, map(64, 16), map(32, 8)).possible);  // half of a tile
  EXPECT(plan(kThree, false, map(96, 8), map(64, 8)).slices == 4);
  const Layout deep = map(320, 4, cells);
  const TensorGemmPlan p = plan(kThree, false, deep, deep);
  EXPECT(p.possible && p.columns == 160 && p.column_tiles == 2 && p.splits > 1 && p.splits <= 32);
  const ConvCall call{kThree, false, deep, deep};
  EXPECT(choose_engine(call) == ConvEngine::tensor_gather);
  EXPECT(convolution_workspace(call) >= p.bytes());
  EXPECT(convolution_workspace(call) >= TensorGemmPlan::of(kThree, false, deep, deep).bytes());
}

// Splits of a weight gradient cover all voxels and none is empty.
static void splits() {
  for (int64_t edge = 1; edge < 40; edge++)
    for (const int64_t channels : {8, 64, 320}) {
      const TensorWeightPlan p = TensorWeightPlan::of(kPoint, map(channels, edge), map(channels, edge));
      const int64_t voxels = edge * edge * edge;
      EXPECT(p.voxels % TensorWeightPlan::kStep == 0);
      EXPECT(p.splits * p.voxels >= voxels && (p.splits - 1) * p.voxels < voxels);
    }
}

// Rounds of thread blocks, over the parts of a sum: never more than without splits, nor than a tenth from the best.
static void gather_parts() {
  const auto rounds = [](int64_t items, int64_t splits) {
    return static_cast<double>(tiles_of(items * splits, kResidentBlocks)) / static_cast<double>(splits);
  };
  for (int64_t items = 1; items < 600; items++)
    for (const int64_t most : {1, 5, 32}) {
      const int splits = gather_splits(items, most);
      EXPECT(splits >= 1 && splits <= most && rounds(items, splits) <= rounds(items, 1));
      for (int64_t s = 2; s <= most && tiles_of(items * s, kResidentBlocks) <= 3; s++)
        EXPECT(rounds(items, splits) * 0.9 <= rounds(items, s) + 1e-9);
    }
  EXPECT(gather_splits(10, 32) == 13 && gather_splits(60, 33) == 2 && gather_splits(1000, 32) == 1);
}

// A weight gradient's thread blocks are resident all at once, unless its channels alone make more.
static void weight_rows() {
  for (const int64_t channels : {32, 64, 96, 128, 160, 256, 512}) {
    const HaloWeightPlan p = HaloWeightPlan::of(kThree, map(channels, 64), map(channels, 64));
    const int64_t columns = int64_t{p.source_tiles} * p.dest_tiles;
    EXPECT(p.possible && (p.rows == 1 || p.rows * columns <= kResidentBlocks));
    EXPECT((p.rows + 1) * columns > kResidentBlocks);
  }
}

// Tiles of ragged cells cover every voxel of a map once, and a neighbour is where the volume says.
static void cells() {
  const Extent size{11, 9, 17};
  const CellTiles tiles{nullptr, {1, 1, 1}, size, {3, 2, 3}, kTileDepth, 18};
  int covered = 0;
  for (int t = 0; t < tiles.count; t++) {
    const CellTiles::Tile tile = tiles.at(t);
    for (int v = 0; v < kTileDepth * 64; v++)
      covered += tile.z + v / 64 < size.z && tile.y + v / 8 % 8 < size.y && tile.x + v % 8 < size.x;
  }
  EXPECT(covered == size.product());
  const CellView dense{nullptr, {2, 2, 2}, {8, 8, 8}, 16 * 16, 16};
  for (int v = -1; v <= 8; v++) {
    int at = v;
    const int side = neighbour(at, 8), corner = dense.corner({0, side, 0, 0});
    EXPECT(side == 2 ? corner < 0 || at + side * 8 == v + 8 : corner + dense.offset(at, 0, 0) == (v + 8) * 256);
  }
}

// The kernels of a convolution in 16 bits, of its input's and of its weight's gradient: of channels from and to, size,
// kernel, stride, cells along each axis (0: dense) and channels of the first of two joined maps (0: one map).
static void print_kernels(const int64_t* n) {
  const Int3 size{n[2], n[3], n[4]}, kernel{n[5], n[6], n[7]}, stride{n[8], n[9], n[10]};
  const Int3 padding = kernel / Int3{2, 2, 2}, last = size - Int3{1, 1, 1};
  const auto cells = n[11] ? grid(n[11]) : nullptr;
  const ConvGeometry g{kernel, stride, padding};
  const Layout x{feature_shape(1, n[0], size), DType::bfloat16, cells};
  const Layout y{feature_shape(1, n[1], last / stride + Int3{1, 1, 1}), DType::bfloat16, cells};
  const char* names[] = {"plain", "gather", "halo", "point", "stem"};
  for (const ConvEngine e : {choose_engine({g, false, x, y, n[12]}), choose_engine({g, true, y, x, n[12]}),
                             choose_weight_engine(g, x, y, n[12])})
    std::printf("%s ", names[static_cast<int>(e)]);
  std::printf("\n");
}

int main(int argc, char** argv) {
  constexpr int kNumbers = 13;
  std::vector<int64_t> numbers;
  for (int i = 1; i < argc; i++) numbers.push_back(std::atoll(argv[i]));
  for (size_t i = 0; i < numbers.size(); i += kNumbers) print_kernels(&numbers[i]);
  if (argc > 1) return 0;
  engines();
  joined_maps();
  forms();
  groups();
  splits();
  gather_parts();
  weight_rows();
  cells();
  return failures ? 1 : 0;
}
