// What a kernel sees of a tensor.
//
// Storage. Tensors of rank 5 are stored channels last, as blocks: data[block][z][y][x][C]. A dense tensor has one
// block per sample, which is plain NDHWC; under a BlockGrid only the visible blocks exist. Convolution weights
// (K, C, kz, ky, kx) follow the same rule and lie as [K][kz][ky][kx][C]. Tensors of lower rank are row-major.
#pragma once
#include <memory>

#include "core/block_grid.h"
#include "core/dtype.h"
#include "core/shape.h"

namespace voxelspark {

struct Layout {
  Shape shape;
  DType dtype = DType::float32;
  std::shared_ptr<const BlockGrid> grid;  // null: dense

  int64_t channels() const { return shape.channels(); }
  // Edge of a stored block; the whole volume when dense.
  Int3 edge() const { return grid ? shape.size() / grid->cells : shape.size(); }
  int64_t blocks() const { return grid ? grid->blocks() : shape.samples(); }
  int64_t first_block(int64_t sample) const { return grid ? grid->first_block[sample] : sample; }
  int64_t sample_of(int64_t block) const { return grid ? grid->sample_of(block) : block; }
  Int3 corner_of(int64_t block) const { return grid ? grid->corner_of(block, edge()) : Int3{0, 0, 0}; }
  // Stored voxels, all samples together (rank 5) and of one sample.
  int64_t voxels() const { return blocks() * edge().product(); }
  int64_t voxels_of(int64_t sample) const { return (first_block(sample + 1) - first_block(sample)) * edge().product(); }
  int64_t stored_elements() const { return grid ? voxels() * channels() : shape.elements(); }
  int64_t bytes() const { return stored_elements() * size_of(dtype); }
};

inline Layout like(const Layout& model, const Shape& shape) { return {shape, model.dtype, model.grid}; }
inline Layout plain(const Layout& model, const Shape& shape) { return {shape, model.dtype, nullptr}; }
// Of parameters, statistics and sums that belong to feature maps like `model`.
inline Layout wide(const Layout& model, const Shape& shape) { return {shape, wide_of(model.dtype), nullptr}; }

// A normalisation that nobody wrote: a reader that knows of it applies it to stored voxels, never to the zeros or
// tokens that stand for others: act((x - mean) * scale + shift) with act(z) = z for z > 0, slope * z else.
struct Pending {
  const float* affine = nullptr;  // (groups, 3, C): mean, scale, shift of each sample, or of all; null: nothing to do
  int64_t stride = 0;             // from sample to sample
  float slope = 1;

  explicit operator bool() const { return affine != nullptr; }
  const float* of(int64_t sample) const { return affine ? affine + sample * stride : nullptr; }
};

struct Tensor {
  Layout layout;
  void* data = nullptr;  // null on the null device and for absent optional inputs
  Pending pending = {};  // set by the entry points of kernels that apply it
  // Of two maps that a convolution reads or writes as one: the first `first_channels` channels lie at `data`, the
  // others here.
  void* second = nullptr;
  int64_t first_channels = 0;

  float* f32() const { return static_cast<float*>(data); }
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

}  // namespace voxelspark
