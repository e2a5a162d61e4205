#include "device/parallel.h"
#include "ops/dice_cross_entropy/dice_cross_entropy.h"
#include "ops/dice_cross_entropy/simd.h"
#include "ops/reduce/columns.h"

namespace voxelspark {

DEFINE_KERNEL(dice_cross_entropy_forward, DiceCrossEntropy)
DEFINE_KERNEL(dice_cross_entropy_backward, DiceCrossEntropyBackward)

namespace {

constexpr int64_t kB = kDiceBlock;

// Working memory of one chunk: a block of voxels, planar.
struct Block {
  const DiceCrossEntropy& op;
  int64_t channels, voxels = 0;
  std::vector<float> z, p, g, tail;
  float largest[kB], total[kB], counts[kB];
  decltype(simd_planar_softmax()) softmax = simd_planar_softmax();
  decltype(simd_planar_sigmoid()) sigmoid = simd_planar_sigmoid();

  Block(const DiceCrossEntropy& op, int64_t channels)
      : op(op), channels(channels), z(channels * kB), p(channels * kB), g(channels * kB), tail(channels * kB) {}

  void read(const float* logits, const float* label, int64_t n) {
    voxels = n;
    for (int64_t v = 0; v < n; v++)
      for (int64_t c = 0; c < channels; c++) z[c * kB + v] = logits[v * channels + c];
    if (op.by_region()) sigmoid(z.data(), n, channels, p.data(), tail.data());
    else softmax(z.data(), n, channels, p.data(), largest, total);
    for (int64_t v = 0; v < n; v++) {
      counts[v] = op.counts(label[v], channels);
      op.target(counts[v] != 0 ? label[v] : -1.0, channels, g.data() + v, kB);
    }
  }

  void add_to(DiceSums& sums) const {
    for (int64_t c = 0; c < channels; c++) {
      double i = 0, q = 0, w = 0;
      for (int64_t at = c * kB, v = 0; v < voxels; v++, at++) {
        if (counts[v] == 0) continue;
        q += p[at];
        w += g[at];
        i += g[at] != 0 ? p[at] : 0.0f;
      }
      sums.intersection[c] += i;
      sums.predicted[c] += q;
      sums.wanted[c] += w;
    }
    for (int64_t v = 0; v < voxels; v++) {
      if (counts[v] == 0) continue;
      sums.count++;
      sums.cross_entropy += op.by_region() ? binary_cross_entropy(v) : cross_entropy(v);
    }
  }

 private:
  double cross_entropy(int64_t v) const {
    int64_t c = 0;
    while (g[c * kB + v] == 0) c++;
    return std::log(static_cast<double>(total[v])) + (double(largest[v]) - z[c * kB + v]);
  }
  double binary_cross_entropy(int64_t v) const {
    double sum = 0;
    for (int64_t at = v; at < channels * kB; at += kB)
      sum += (z[at] > 0 ? z[at] : 0.0f) - double(z[at]) * g[at] + std::log1p(static_cast<double>(tail[at]));
    return sum;
  }
};

// Calls body(first voxel, voxels) for the blocks of a chunk.
template <class Body>
void each_block(const VoxelChunk& chunk, const Body& body) {
  for (int64_t done = 0; done < chunk.voxels; done += kB)
    body(chunk.first + done, chunk.voxels - done < kB ? chunk.voxels - done : kB);
}

}  // namespace

void dice_cross_entropy_forward_cpu(const Descriptor& d, const Launch& l) {
  const auto& op = as<DiceCrossEntropy>(d);
  const Layout& layout = l.inputs[0].layout;
  const int64_t c = layout.channels();
  const auto chunks = voxel_chunks(layout);
  std::vector<DiceSums> parts(chunks.size(), DiceSums(c)), sums(op.groups(layout), DiceSums(c));
  parallel_for(static_cast<int64_t>(chunks.size()), [&](int64_t i) {
    Block block(op, c);
    each_block(chunks[i], [&](int64_t first, int64_t n) {
      block.read(l.inputs[0].f32() + first * c, l.inputs[1].f32() + first, n);
      block.add_to(parts[i]);
    });
  });
  for (size_t i = 0; i < chunks.size(); i++) sums[op.batch_dice ? 0 : chunks[i].sample].add(parts[i]);
  finish_loss<float>(op, sums, l);
}

void dice_cross_entropy_backward_cpu(const Descriptor& d, const Launch& l) {
  const auto& op = as<DiceCrossEntropyBackward>(d);
  const Layout& layout = l.inputs[0].layout;
  const int64_t c = layout.channels();
  const auto chunks = voxel_chunks(layout);
  auto gradient = simd_planar_dice_gradient();
  parallel_for(static_cast<int64_t>(chunks.size()), [&](int64_t i) {
    Block block(op, c);
    std::vector<float> gz(c * kB);
    const float* coefficients = l.inputs[2].f32() + (op.batch_dice ? 0 : chunks[i].sample) * c * 2;
    each_block(chunks[i], [&](int64_t first, int64_t n) {
      block.read(l.inputs[0].f32() + first * c, l.inputs[1].f32() + first, n);
      gradient({block.p.data(), block.g.data(), block.counts, coefficients, n, c, *l.inputs[3].f32(),
                *l.inputs[4].f32(), !op.by_region()},
               gz.data());
      float* to = l.outputs[0].f32() + first * c;
      for (int64_t v = 0; v < n; v++)
        for (int64_t k = 0; k < c; k++) to[v * c + k] = gz[k * kB + v];
    });
  });
}

}  // namespace voxelspark
