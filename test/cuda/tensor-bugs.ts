/**
 * Bugs to be planted in the kernels on tensor cores: how copies, products and buffers wait for each other, and where
 * things lie.
 */
import type { Planted } from "./planted";

export interface TensorBug extends Planted {
  /** That must notice, of tensor-cases.ts, as one-tensor.ts takes it. */
  notices: string;
  says?: RegExp;
  /** Of products of warpgroups. */
  form?: "shared" | "registers";
}

export const conv = "native/ops/conv3d";

export const tensorBugs: readonly TensorBug[] = [
  {
    name: "a plane left out of a stem's weight gradient",
    notices: "stem, masked",
    file: `${conv}/cuda_stem.cu`,
    found: "p < kTileDepth",
    planted: "p < kTileDepth - 1",
    says: /^gradient of weight.*relative error/,
  },
  {
    name: "a channel's tile that is used before it is there",
    notices: "stem, three channels, a ragged volume",
    file: `${conv}/cuda_stem.cu`,
    within: "__syncthreads();\n#pragma unroll 1\n    for (int row = 0; row < 9; row++)",
    found: "__syncthreads();",
    planted: "",
  },
  {
    name: "the first gradient of a head for all",
    notices: "a head",
    file: `${conv}/cuda_pointwise.cu`,
    found: "gy.at(voxel, sample, first + k)",
    planted: "gy.at(voxel, sample, first)",
    says: /^gradient of weight.*relative error/,
  },
  {
    name: "voxels of the second step of two taken from the first",
    notices: "gather, stride 2, odd volume, two samples in a tile",
    file: `${conv}/cuda_tensor_weight.cu`,
    found: "return table + kStep * 4;",
    planted: "return table;",
    says: /^gradient of weight.*relative error/,
  },
  {
    name: "tables of the next item written while rows of this one are looked up",
    notices: "starved: gather, many items, pending",
    file: `${conv}/cuda_tensor_gemm.cu`,
    found: "named_barrier(kGatherBarrier, kGatherProducers);",
    planted: "",
  },
  {
    name: "statistics of voxels beyond a volume's end",
    notices: "halo, tiles that stick out",
    file: `${conv}/cuda_halo_parts.cuh`,
    found: "tile.x + lane / 4 < edge.x",
    planted: "true",
    says: /(mean|squares) of sample \d: relative error/,
  },
  {
    name: "tiles of unlike sizes that weigh the same",
    notices: "halo, tiles that stick out",
    file: `${conv}/cuda_epilogue.cu`,
    found: "static_cast<double>(memory.counts[s])",
    planted: "1.0",
    says: /(mean|squares) of sample \d: relative error/,
  },
  {
    name: "sums of other warps that are not waited for",
    notices: "gather, blocks of edge 1",
    file: `${conv}/cuda_epilogue.cuh`,
    found: "x.sync();\n#pragma unroll\n  for (int c = 0; c < kColumns; c++) mean[c] = x.sum(c) * share;",
    planted: "for (int c = 0; c < kColumns; c++) mean[c] = x.sum(c) * share;",
    says: /(mean|squares) of sample \d: relative error|other bits/,
  },
  {
    name: "a buffer that is not waited for",
    notices: "gather, blocks of edge 1",
    file: `${conv}/cuda_tensor_gemm.cu`,
    found: "turn.wait_full(ring);",
    planted: "",
  },
  {
    name: "a buffer that is announced before its copies are done",
    notices: "gather, blocks of edge 1",
    file: `${conv}/cuda_tensor_gemm.cu`,
    found:
      "copy_weights(buffer + S::kRowBytes, step / this->g.slices, slice);\n" +
      "      arrive_after_copies(ring.full(turn.buffer));",
    planted:
      "copy_weights(buffer + S::kRowBytes, step / this->g.slices, slice);\n" +
      "barrier_arrive(ring.full(turn.buffer));",
  },
  {
    name: "a wrong pitch of planes",
    notices: "gather, blocks of edge 1",
    file: `${conv}/cuda_tensor_gemm.cu`,
    found: "(k * 2 + lane / 16) * S::kPitch",
    planted: "(k * 2 + lane / 16) * kTensorRows",
  },
  {
    name: "a tile that is announced before its copies are done",
    notices: "halo, several slices",
    form: "shared",
    file: `${conv}/cuda_halo_group.cu`,
    found: "wait_for_copies<0>();",
    planted: "",
  },
  {
    name: "weights that are given back before they are read",
    notices: "halo, several slices",
    file: `${conv}/cuda_halo_conv.cu`,
    found: "weight_turn.wait_full(memory.weights);",
    planted:
      "weight_turn.wait_full(memory.weights);\n        release_buffer(memory.weights.empty(weight_turn.buffer));",
    says: /relative error|more arrivals|wait for what never happens/,
  },
  {
    name: "products that are not waited for before buffers are given back",
    notices: "halo, several slices",
    form: "shared",
    file: `${conv}/cuda_halo_group.cu`,
    within: "an empty product\n    }\n    wait_products<0>();",
    found: "wait_products<0>();",
    planted: "",
  },
  {
    name: "producers that wait for a buffer that another fills",
    notices: "starved: halo, several slices",
    form: "shared",
    file: `${conv}/cuda_halo_group.cu`,
    within: "if (threadIdx.x == 0) {\n      turn.wait_empty(this->memory.weights);",
    found: "threadIdx.x == 0",
    planted: "turn.wait_empty(this->memory.weights), threadIdx.x == 0",
    says: /wait for what never happens/,
  },
  {
    name: "rows that are stored without a fence for the products",
    notices: "group, 64 columns, stride 2, pending",
    form: "shared",
    file: `${conv}/cuda_group_gemm.cu`,
    within: "wait_for_copies<0>();  // there are none",
    found: "wait_for_copies<0>();",
    planted: "",
    says: /a product reads what was stored and not fenced/,
  },
  {
    name: "fragments that are loaded without a fence of registers",
    notices: "halo, several slices",
    form: "registers",
    file: `${conv}/cuda_halo_group.cu`,
    within: "m, dy, dx));\n        begin_products();",
    found: "begin_products();",
    planted: "",
    says: /without wgmma\.fence/,
  },
  {
    name: "a wrong distance of rows in a descriptor",
    notices: "halo, several slices",
    form: "shared",
    file: `${conv}/cuda_halo_group.cu`,
    found: "matrix_at(kLayout, halo + S::Tile::offset(0, sums.z + dz, dy0, 0))",
    planted:
      "matrix_at(matrix_layout(kTileEdge * 16, S::Tile::kPitch * 16), " +
      "halo + S::Tile::offset(0, sums.z + dz, dy0, 0))",
  },
  {
    name: "fragments that are loaded while products read them",
    notices: "halo, several slices",
    form: "registers",
    file: `${conv}/cuda_halo_group.cu`,
    found: "wait_products<1>();",
    planted: "",
  },
  {
    name: "a step that is announced before its copies are done",
    notices: "group, 64 columns, stride 2",
    form: "shared",
    file: `${conv}/cuda_group_gemm.cu`,
    found: "wait_for_copies<kLead>();",
    planted: "wait_for_copies<kLead + 1>();",
  },
  {
    name: "a step that is given back while its products run",
    notices: "group, 256 columns, kernel 1, more steps than buffers",
    form: "shared",
    file: `${conv}/cuda_group_gemm.cu`,
    found: "if (step == part.begin) continue;",
    planted: "",
    says: /relative error|more arrivals/,
  },
  {
    name: "sums that are written before their last products are done",
    notices: "group, 64 columns, stride 2",
    form: "shared",
    file: `${conv}/cuda_group_gemm.cu`,
    found: "wait_products<0>();",
    planted: "",
  },
  {
    name: "a wrong distance of planes in a descriptor",
    notices: "group, 64 columns, stride 2",
    form: "shared",
    file: `${conv}/cuda_group_gemm.cu`,
    found: "matrix_at(kRows, buffer + row * 16)",
    planted: "matrix_at(matrix_layout(8 * 16, kTensorRows * 16), buffer + row * 16)",
  },
  {
    name: "a wrong distance of summands in a descriptor of weights",
    notices: "group, 64 columns, stride 2",
    form: "shared",
    file: `${conv}/cuda_group_gemm.cu`,
    found: "matrix_at(kWeights, buffer + S::kRowBytes)",
    planted: "matrix_at(matrix_layout(8 * 16, (S::kColumns + 8) * 16), buffer + S::kRowBytes)",
  },
  {
    name: "a wrong distance of summands in a descriptor of a tile's weights",
    notices: "halo, several slices",
    form: "registers",
    file: `${conv}/cuda_halo_group.cu`,
    found: "matrix_at(kLayout, unit)",
    planted: "matrix_at(matrix_layout(8 * 16, (S::kColumns + 8) * 16), unit)",
  },
  {
    name: "the rows of the first tap for all taps",
    notices: "group, 160 columns, blocks of edge 1",
    form: "shared",
    file: `${conv}/cuda_gather_parts.cuh`,
    found: "step == part.begin || step == tap * steps",
    planted: "step == part.begin",
  },
  {
    name: "one table of rows for two taps",
    notices: "group, 64 columns, blocks of edge 4",
    form: "shared",
    file: `${conv}/cuda_gather_parts.cuh`,
    found: "S::kTables + tap % 2 * kTensorRows * 4",
    planted: "S::kTables",
  },
  {
    name: "masked voxels read as the first stored one",
    notices: "gather, one visible block",
    file: `${conv}/cuda_gather_parts.cuh`,
    found: "has_channel && from[i] >= 0",
    planted: "has_channel",
    says: /relative error|died|signal/,
  },
  {
    name: "tiles that are given back before they are read",
    notices: "halo, blocks of edge 8",
    file: `${conv}/cuda_halo_weight.cu`,
    found: "add(shared + turn.buffer * kBufferBytes);\n      release_buffer(ring.empty(turn.buffer));",
    planted: "release_buffer(ring.empty(turn.buffer));\n      add(shared + turn.buffer * kBufferBytes);",
  },
  {
    name: "voxels beyond the end",
    notices: "gather, weights in splits",
    file: `${conv}/cuda_tensor_weight.cu`,
    found: "voxel < w.end()",
    planted: "true",
  },
  {
    name: "a barrier that waits for one arrival too many",
    notices: "gather, weights in splits",
    file: `${conv}/cuda_tensor_weight.cu`,
    found: "kProducers * (w.pending() ? 2 : 1)",
    planted: "kProducers * (w.pending() ? 2 : 1) + 1",
    says: /wait for what never happens/,
  },
];
