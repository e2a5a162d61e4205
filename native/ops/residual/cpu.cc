// Elementwise over stored voxels, in chunks that never straddle samples; no element is shared.
#include "device/parallel.h"
#include "ops/reduce/columns.h"
#include "ops/residual/residual.h"
#include "ops/residual/simd.h"

namespace voxelspark {

DEFINE_KERNEL(residual_forward, Residual)

namespace {

// A tensor and, a row of columns for each of mean, scale and shift of every group, what is pending on it.
class Term {
 public:
  Term(const Inputs& in, size_t t, size_t affine, double slope) : slope_(static_cast<float>(slope)) {
    if (!present(in, t)) return;
    values_ = in[t].f32();
    channels_ = in[t].layout.channels();
    width_ = column_width(channels_);
    if (!present(in, affine)) return;
    groups_ = in[affine].layout.shape[0];
    for (int64_t i = 0; i < groups_ * 3 * width_; i++)
      columns_.push_back(in[affine].f32()[i / width_ * channels_ + i % width_ % channels_]);
  }
  ResidualTerm of(const VoxelChunk& chunk) const {
    if (!values_) return {};
    const float *from = values_ + chunk.first * channels_, *a = columns_.data();
    if (!groups_) return {from, nullptr, nullptr, nullptr, 1};
    if (groups_ > 1) a += chunk.sample * 3 * width_;
    return {from, a, a + width_, a + 2 * width_, slope_};
  }

 private:
  const float* values_ = nullptr;
  int64_t channels_ = 0, width_ = 0, groups_ = 0;
  float slope_;
  std::vector<float> columns_;
};

}  // namespace

void residual_forward_cpu(const Descriptor& d, const Launch& l) {
  const auto& op = as<Residual>(d);
  const Layout& layout = l.outputs[0].layout;
  const int64_t c = layout.channels();
  const Term x(l.inputs, 0, 2, op.x_slope), skip(l.inputs, 1, 3, op.skip_slope);
  const std::vector<VoxelChunk> chunks = voxel_chunks(layout);
  const auto range = simd_residual_range();
  parallel_items(static_cast<int64_t>(chunks.size()), kChunkElements, [&](int64_t i) {
    const VoxelChunk& chunk = chunks[i];
    range(x.of(chunk), skip.of(chunk), static_cast<float>(op.slope), chunk.voxels * c, column_width(c),
          l.outputs[0].f32() + chunk.first * c);
  });
}

}  // namespace voxelspark
