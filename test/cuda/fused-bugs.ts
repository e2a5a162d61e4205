/**
 * Bugs to be planted in what kernels of convolution do on load and on store: pending norms, statistics, adding, joined
 * maps, folding.
 */
import { conv, type TensorBug } from "./tensor-bugs";

const pending: readonly TensorBug[] = [
  {
    name: "a slope before the scale and the shift",
    notices: "few channels, pending",
    file: "native/ops/cuda_pending.cuh",
    found: "activated(normalized(x, mean.v[i], scale.v[i], shift.v[i]), slope)",
    planted: "normalized(mean.v[i] + activated(x - mean.v[i], slope), mean.v[i], scale.v[i], shift.v[i])",
    says: /written: relative error/,
  },
  {
    name: "the norm of the first channel for all, without tensor cores",
    notices: "few channels, pending",
    file: `${conv}/cuda_gemm.cu`,
    found: "settle<T>(values, x.norm, sample, channel)",
    planted: "settle<T>(values, x.norm, sample, 0)",
    says: /^y, .*other bits/,
  },
  {
    name: "the norm of the sample of a thread's first row for all",
    notices: "gather, stride 2, odd volume, two samples in a tile, pending",
    file: `${conv}/cuda_gather_parts.cuh`,
    found: "own != sample",
    planted: "sample < 0",
    says: /^y, .*other bits/,
  },
  {
    name: "masked voxels that are normalised, rows of warpgroups",
    notices: "group, 64 columns, blocks of edge 4, pending",
    form: "shared",
    file: `${conv}/cuda_gather_parts.cuh`,
    found: "held.valid >> i & 1",
    planted: "own_channel(slice) < g.source_channels",
    says: /^y, .*other bits/,
  },
  {
    name: "the norm of the first slice for all",
    notices: "halo, several slices, pending",
    file: `${conv}/cuda_halo.cuh`,
    found: "norm.read(x.norm, tile.cell.n, channel)",
    planted: "norm.read(x.norm, tile.cell.n, plane * 8)",
    says: /^y, .*other bits/,
  },
  {
    name: "voxels outside that are normalised, tiles of warpgroups",
    notices: "halo, 128 channels, pending",
    form: "registers",
    file: `${conv}/cuda_halo.cuh`,
    found: "valid[i] ? settled<T>(held[i], norm) : held[i]",
    planted: "settled<T>(held[i], norm)",
    says: /^y, .*other bits/,
  },
  {
    name: "the norm of a row's first channel for all of a gradient, without tensor cores",
    notices: "few channels, pending",
    file: `${conv}/cuda_weight_gradient.cu`,
    found: "settle<T>(value, w.gy.norm, sample, row + i)",
    planted: "settle<T>(value, w.gy.norm, sample, row)",
    says: /^gw, gy pending, .*other bits/,
  },
  {
    name: "the norm of the first sample for all, gradients of weights",
    notices: "gather, stride 2, odd volume, two samples in a tile, pending",
    file: `${conv}/cuda_tensor_weight.cu`,
    found: "map.norm.stride ? w.dest.sample_of(first + v) : 0",
    planted: "0",
    says: /^gw, .*other bits/,
  },
  {
    name: "the norm of the first slice of a gradient for all, gradients of weights",
    notices: "halo, several slices, pending",
    file: `${conv}/cuda_halo_weight.cu`,
    found: "norm.read(w.gy.norm, tile.cell.n, channel)",
    planted: "norm.read(w.gy.norm, tile.cell.n, plane * 8)",
    says: /^gw, gy pending, .*other bits/,
  },
  {
    name: "a norm that is not applied near visible blocks",
    notices: "without tensor cores, folded",
    file: "native/ops/folded_conv3d/cuda_near.cu",
    found: "settle<T>(value, g.norm, base.n, c.channel)",
    planted: "static_cast<void>(0)",
  },
];

const moments = /(mean|squares) of sample \d: relative error/;
const statistics: readonly TensorBug[] = [
  {
    name: "a row of the next sample that is counted, too, without tensor cores",
    notices: "gather, stride 2, odd volume, two samples in a tile, float32",
    file: `${conv}/cuda_gemm.cu`,
    found: "own >= from && own < to",
    planted: "own >= from && own <= to",
    says: moments,
  },
  {
    name: "statistics of rows of the next sample, too",
    notices: "group, 256 columns, kernel 1, more steps than buffers",
    file: `${conv}/cuda_gather_store.cuh`,
    found: "row >= from && row < to",
    planted: "row >= from && row < last",
    says: moments,
  },
  {
    name: "rows of the sample before that are counted twice, of sums in splits",
    notices: "gather, stride 2, odd volume, two samples in a tile",
    file: `${conv}/cuda_gather_store.cuh`,
    found: "voxel >= from && voxel < to",
    planted: "voxel < to",
    says: moments,
  },
  {
    name: "statistics of the first columns for all",
    notices: "group, 256 columns, kernel 1, more steps than buffers",
    form: "shared",
    file: `${conv}/cuda_group_gemm.cu`,
    found: "sums[column / 2 + c / 2 * 4 + r * 2 + c % 2]",
    planted: "sums[c / 2 * 4 + r * 2 + c % 2]",
    says: moments,
  },
  {
    name: "statistics of tiles as another form has them",
    notices: "halo, tiles that stick out",
    form: "shared",
    file: `${conv}/cuda.cu`,
    found: "halo_depth(product_form(), c.dest.channels())",
    planted: "kTileDepth",
    says: moments,
  },
  {
    name: "the first chunk of tiles for all",
    notices: "statistics of many tiles",
    file: `${conv}/cuda_epilogue.cu`,
    found: "s < memory.chunks",
    planted: "s < 1",
    says: moments,
  },
];

const adding: readonly TensorBug[] = [
  {
    name: "sums that are stored instead of added, without tensor cores",
    notices: "without tensor cores, folded",
    file: "native/ops/folded_conv3d/cuda_near.cu",
    found: "widen(*to) + sums.total[i][j]",
    planted: "sums.total[i][j]",
    says: /^y: relative error/,
  },
  {
    name: "sums that are stored instead of added",
    notices: "gathered rows, kernel 1, folded",
    file: `${conv}/cuda_gather_store.cuh`,
    found: "adds ? sum_of<T>(*word, low, high) : pack<T>(low, high)",
    planted: "pack<T>(low, high)",
    says: /^y: relative error/,
  },
  {
    name: "sums in splits that are added twice",
    notices: "gathered rows, sums in splits, folded",
    file: `${conv}/cuda_gather_store.cuh`,
    found: "put_sum<T>(y.from(channel).of(voxel), sum, store.adds)",
    planted: "put_sum<T>(y.from(channel).of(voxel), store.adds ? 2 * sum : sum, store.adds)",
    says: /^y: relative error/,
  },
  {
    name: "sums of an odd number of channels that are stored instead of added, rows of warpgroups",
    notices: "gathered rows, kernel 1, an odd number of channels, folded",
    form: "shared",
    file: `${conv}/cuda_gather_store.cuh`,
    found: "adds ? sum_of<T>(*to, sum, 0) : pack<T>(sum, 0)",
    planted: "pack<T>(sum, 0)",
    says: /^y: relative error/,
  },
  {
    name: "tiles that are added twice",
    notices: "halo tiles, one visible block, folded",
    file: `${conv}/cuda_halo_parts.cuh`,
    found: "g.store.adds ? sum_of<T>(out.word[j], low, high) : pack<T>(low, high)",
    planted: "g.store.adds ? sum_of<T>(out.word[j], 2 * low, 2 * high) : pack<T>(low, high)",
    says: /^y: relative error/,
  },
  {
    name: "tiles behind a visible block that are left out, tiles of warpgroups",
    notices: "halo tiles, one visible block, folded",
    form: "shared",
    file: `${conv}/cuda_halo.cuh`,
    found: "-(tile.z == 0)",
    planted: "0",
    says: /^y: relative error/,
  },
];

const joined: readonly TensorBug[] = [
  {
    name: "the second of two maps one channel too late",
    notices: "gather, stride 2 of an odd volume, joined",
    file: `${conv}/cuda_source.cuh`,
    found: "channel < first_channels",
    planted: "channel <= first_channels",
  },
  {
    name: "the second of two maps by the first's pitch",
    notices: "halo, 128 channels, a narrow first map, joined",
    file: `${conv}/cuda_source.cuh`,
    found: "channels - first_channels",
    planted: "first_channels",
  },
  {
    name: "one map for a slice of both",
    notices: "halo, a slice of both maps, a ragged volume, joined",
    file: `${conv}/cuda_halo_weight.cu`,
    found:
      "copy_halo<kDepth, kProducers>(w.source, tile, shared + kTable, w.x, w.source_slice(), buffer, thread);",
    planted:
      "copy_halo<kDepth, kProducers>(w.source, tile, shared + kTable, {{w.x.first, w.x.first, w.x.first_channels, " +
      "2 * w.x.first_channels}, w.x.norm}, w.source_slice(), buffer, thread);",
  },
  {
    name: "channels of the first map for a run of the second",
    notices: "gather, stride 2 of an odd volume, joined",
    file: `${conv}/cuda_tensor_weight.cu`,
    found: "w.x.from(copies_x ? c : 0)",
    planted: "w.x.from(w.first_source())",
  },
  {
    name: "two channels at once where the first map ends between them",
    notices: "13 of 24 channels, written by tensor cores, joined",
    file: `${conv}/cuda_gather_store.cuh`,
    found: "put_sum<T>(g.y.from(c + 1).of(voxel), high, adds)",
    planted: "put_sum<T>(g.y.from(c).of(voxel) + 1, high, adds)",
  },
  {
    name: "maps that end within a run given to kernels of whole runs",
    notices: "6 of 32 channels on halo tiles, joined",
    file: `${conv}/cuda_engine.h`,
    found: "c.split % kRunChannels == 0",
    planted: "true",
    says: /relative error|not aligned/,
  },
];

const folded = "native/ops/folded_conv3d/cuda.cu";
const folding: readonly TensorBug[] = [
  {
    name: "the constant of an edge at the last corner",
    notices: "gathered rows, blocks of edge 4, folded",
    file: folded,
    found: "if (tap_inside(tap, kernel, place)) sum += tap_sums[tap * outputs + k];",
    planted: "if (tap_inside(tap, kernel, place == 26 ? 25 : place)) sum += tap_sums[tap * outputs + k];",
    says: /^y: relative error/,
  },
  {
    name: "borders that keep the inner constant",
    notices: "gathered rows, sums in splits, folded",
    file: folded,
    found: "kOnBorder && place == kInner",
    planted: "kOnBorder",
    says: /^y: relative error/,
  },
  {
    name: "gradients of the token and of the weight without the last corner",
    notices: "gathered rows, sums in splits, folded",
    file: folded,
    found: "if (tap_inside(tap, kernel, place)) sum += places[place * outputs + k];",
    planted: "if (place != 26 && tap_inside(tap, kernel, place)) sum += places[place * outputs + k];",
    says: /^(token|weight): relative error/,
  },
];

export const fusedBugs: readonly TensorBug[] = [...pending, ...statistics, ...adding, ...joined, ...folding];
