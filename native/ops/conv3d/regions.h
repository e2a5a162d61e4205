// How destination voxels become work. Blocks are cut into regions, regions are gathered into items; for an item and a
// lattice, `RowTable` lists which source row every voxel reads at every tap. Blocks of any edge, halos, masked
// neighbours and volume borders all end here: what follows is plain matrix arithmetic on rows of channels.
#pragma once
#include <vector>

#include "core/tensor.h"
#include "ops/conv3d/lattice.h"
#include "ops/conv3d/maps.h"

namespace voxelspark {

// A box [first, end) of voxels of one block, in volume coordinates.
struct Region {
  int64_t block, sample;
  Int3 first, end;
};

struct Items {
  std::vector<Region> regions;
  std::vector<int64_t> first;                // item -> its first region; one entry more than items
  Int3 largest;                              // cells of `step` voxels of the largest region
  int64_t most_cells = 0, most_regions = 0;  // of an item

  int64_t size() const { return static_cast<int64_t>(first.size()) - 1; }
};

// Items of about `cells` cells of `step` voxels, which follow from the layout alone.
Items cut(const Layout& layout, Int3 step, int64_t cells);

// Leaves the items that read a stored voxel of `source` through a lattice of step 1.
void keep_near(Items& items, const Layout& source, const Lattice& lattice);

// Channel rows of a tensor by volume coordinate; zeros where it is masked or outside.
struct Rows {
  const float* data;
  Pending pending;
  const float* zeros;
  int64_t channels;
  Int3 size, edge, cells;
  const int32_t* block_of;  // null: dense

  Rows(const Tensor& t, const float* zeros);
  // out[i] = row of voxel (z, y, x + i) for 0 <= i < n
  void list(int64_t sample, int64_t z, int64_t y, int64_t x, int64_t n, const float** out) const;
};
using Sources = std::vector<Rows>;  // the parts of what is read
Sources sources_of(const Maps& maps, const float* zeros);

// Tap d of voxel v of an item reads rows[part][base[v] + delta[d]] of each part of the source.
struct RowTable {
  std::vector<std::vector<const float*>> rows;
  std::vector<int32_t> base, delta;
  std::vector<int64_t> voxel;  // index of the destination voxel in its storage
  int64_t voxels = 0;

  // For few channels: the rows themselves, those of all parts side by side, and where in them each channel of each tap
  // lies relative to a voxel's base[v] * channels. fill_values() follows fill().
  std::vector<float> values;
  std::vector<int32_t> offsets;

  // Reserves for any item and lattice, so that filling allocates nothing. Where the normalisation of the source is
  // `pending`, the rows are normalised copies. A table serves one source.
  RowTable(const Items& items, const std::vector<Lattice>& lattices, const Maps& source);
  void fill(const Sources& sources, const Layout& dest, const Lattice& lattice, const Items& items, int64_t item);
  void fill_values(const Sources& sources);

 private:
  struct Box {
    Int3 from, size;
  };
  void list_rows(const Rows& source, int64_t sample, const Box& box, Int3 pitch, int64_t slot, const float** to);

  int64_t used_ = 0, channels_;  // of the rows of a part; of all parts
  // What each region of the last item lists: lattices may read the same rows, as the eight of a transposed convolution
  // do.
  int64_t item_ = -1;
  Int3 pitch_;
  std::vector<Box> listed_;
  std::vector<float> copies_;
};

// Multiplications in the time of one element of a plain loop, the unit of parallel_items().
constexpr int64_t kProductsPerElement = 32;
// Convolutions of up to this many channels read `values`.
constexpr int64_t kFewChannels = 4;

}  // namespace voxelspark
