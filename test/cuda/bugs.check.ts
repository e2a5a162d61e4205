/** The check of the check: backends with one planted bug each must be found out. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const { build } = require("./build.cjs") as {
  build(name: string, edits: Record<string, (text: string) => string>): Promise<string>;
};
const root = resolve(__dirname, "../..");

interface Bug {
  name: string;
  /** Of the op record that must notice. */
  op: string;
  /** In 16 bits instead of float32. */
  dtype?: "bfloat16" | "float16";
  file: string;
  found: string;
  planted: string;
  says: RegExp;
}

const wrong = /relative error|other bits/;
const bugs: Bug[] = [
  {
    name: "a missing barrier between loading and multiplying slices",
    op: "conv3d",
    file: "native/ops/conv3d/cuda_gemm.cu",
    found: "__syncthreads();\n      const Loaded next",
    planted: "const Loaded next",
    says: wrong,
  },
  {
    name: "masked voxels read as the first stored one",
    op: "conv3d",
    file: "native/ops/conv3d/cuda_gemm.cu",
    found: "return at.ended(l) ? -1 : rows.source.find(l.source(base, at.z, at.y, at.x));",
    planted:
      "const int64_t found = rows.source.find(l.source(base, at.z, at.y, at.x));\n" +
      "return at.ended(l) ? -1 : found < 0 ? 0 : found;",
    says: wrong,
  },
  {
    name: "a barrier that half of the threads skip",
    op: "conv3d",
    file: "native/ops/conv3d/cuda_gemm.cu",
    found: "sums.fold();\n    __syncthreads();",
    planted: "sums.fold();\n    if (threadIdx.x < 128) __syncthreads();",
    says: /barrier/,
  },
  {
    name: "a missing barrier in the weight gradient",
    op: "conv3d",
    file: "native/ops/conv3d/cuda_weight_gradient.cu",
    found: "__syncthreads();\n    fetch(slice",
    planted: "fetch(slice",
    says: wrong,
  },
  {
    name: "one voxel too many at the end of a split",
    op: "conv-transpose3d",
    file: "native/ops/conv3d/cuda_weight_gradient.cu",
    found: "if (voxel >= end) return;",
    planted: "if (voxel > end || voxel >= w.voxels + 1) return;",
    says: wrong,
  },
  {
    name: "a missing barrier before the rows' moments are merged",
    op: "masked-norm",
    file: "native/ops/masked_norm/cuda_statistics.cu",
    found: "rows[at.row][at.lane] = own;\n  __syncthreads();",
    planted: "rows[at.row][at.lane] = own;",
    says: wrong,
  },
  {
    name: "statistics of the first sample for all",
    op: "masked-norm",
    file: "native/ops/masked_norm/cuda_statistics.cu",
    found: "view.split(blockIdx.y, blockIdx.x)",
    planted: "view.split(0, blockIdx.x)",
    says: wrong,
  },
  {
    name: "blocks that add to one shared sum",
    op: "grad-norm",
    file: "native/ops/grad_norm/cuda.cu",
    found: "partial[blockIdx.x] = sum",
    planted: "partial[0] = blockIdx.x ? partial[0] + sum : sum",
    says: wrong,
  },
  {
    name: "truncation instead of rounding to the nearest",
    op: "leaky-relu",
    dtype: "bfloat16",
    file: "native/ops/leaky_relu/cuda.cu",
    found: '#include "device/cuda.cuh"',
    planted:
      '#include <cuda_bf16.h>\n#define __float2bfloat16_rn __float2bfloat16_rz\n#include "device/cuda.cuh"',
    says: wrong,
  },
  {
    name: "sums of a gradient kept in 16 bits",
    op: "masked-norm",
    dtype: "bfloat16",
    file: "native/ops/masked_norm/cuda.cu",
    found: "v[1] = v[0] * in.xhat(x, group, at.channel);",
    planted: "v[1] = rounded<T>(v[0] * in.xhat(x, group, at.channel));",
    says: wrong,
  },
  {
    name: "every value clipped to the lowest",
    op: "resample",
    file: "native/ops/resample/cuda.cu",
    found: "x[i] < range.low ? range.low : x[i]",
    planted: "range.low",
    says: wrong,
  },
  {
    name: "the range of one thread for the whole block",
    op: "resample",
    file: "native/ops/resample/cuda.cu",
    found: "range = range_of_block(range);",
    planted: "",
    says: wrong,
  },
  {
    name: "a gradient that is collected from the middle of its readers only",
    op: "resample",
    file: "native/ops/resample/cuda_affine.cu",
    found: "x <= row.last; x++",
    planted: "x < row.last; x++",
    says: wrong,
  },
  {
    name: "a neighbour's label without its weight",
    op: "resample-labels",
    file: "native/ops/resample_labels/cuda.cu",
    found: "label[j] == label[i] ? weight[j] : 0.0f",
    planted: "label[j] == label[i] ? 1.0f : 0.0f",
    says: wrong,
  },
  {
    name: "other noise for the second sample",
    op: "gaussian-noise",
    file: "native/ops/gaussian_noise/cuda.cu",
    found: "n < samples; n++) add(noise",
    planted: "n < samples; n++) add(n ? Channels<4>{} : noise",
    says: wrong,
  },
  {
    name: "the random numbers of the next block of the counter",
    op: "gaussian-noise",
    file: "native/ops/gaussian_noise/cuda.cu",
    found: "static_cast<uint32_t>(block), step",
    planted: "static_cast<uint32_t>(block + 1), step",
    says: wrong,
  },
  {
    name: "borders of a blur that repeat instead of mirroring",
    op: "gaussian-blur",
    file: "native/ops/gaussian_blur/cuda.cu",
    found: "k = mirrored(k, n);",
    planted: "k = k < 0 ? 0 : n - 1;",
    says: wrong,
  },
  {
    name: "two threads that both exchange a pair",
    op: "mirror",
    file: "native/ops/mirror/cuda.cu",
    found: "if (other <= voxel) return;",
    planted: "if (other == voxel) return;",
    says: wrong,
  },
  {
    name: "the squares of one thread for the whole block",
    op: "intensity",
    file: "native/ops/intensity/cuda.cu",
    found: "squares = sum_of_block(squares);",
    planted: "",
    says: wrong,
  },
  {
    name: "the first sample's statistics for all",
    op: "intensity",
    file: "native/ops/intensity/cuda.cu",
    found: "samples.parameters[quotient(i, samples.voxels)];\n    const float v",
    planted: "samples.parameters[0];\n    const float v",
    says: wrong,
  },
  {
    name: "ignored voxels that count",
    op: "label-counts",
    file: "native/ops/label_counts/cuda.cu",
    found: "if (!region.counts(r)) continue;",
    planted: "",
    says: wrong,
  },
  {
    name: "the eighth voxel around a corner left out",
    op: "surface-dice",
    file: "native/ops/surface_dice/cuda.cu",
    found: "k < 8",
    planted: "k < 7",
    says: wrong,
  },
  {
    name: "a surface that is compared with itself",
    op: "surface-dice",
    file: "native/ops/surface_dice/cuda.cu",
    found: "s.codes + (1 - blockIdx.y) * count",
    planted: "s.codes + blockIdx.y * count",
    says: wrong,
  },
  {
    name: "cubes beside a visible block that are left out",
    op: "folded-conv3d",
    file: "native/ops/folded_conv3d/cuda_near.cu",
    found: "if (!g.tiles.near(corner)) return;",
    planted: "if (!g.tiles.near(corner) || g.tiles.source.find(corner) < 0) return;",
    says: wrong,
  },
  {
    name: "a missing barrier in the convolution near visible blocks",
    op: "folded-conv3d",
    file: "native/ops/folded_conv3d/cuda_near.cu",
    found: "__syncthreads();\n    loader.next(p, q);",
    planted: "loader.next(p, q);",
    says: wrong,
  },
  {
    name: "the border's constant added to the inner one",
    op: "folded-conv3d",
    file: "native/ops/folded_conv3d/cuda.cu",
    found: "old.v[i] + (value.v[i] - inner.v[i])",
    planted: "old.v[i] + value.v[i]",
    says: wrong,
  },
  {
    name: "the first corner left out of the sums of the gradient",
    op: "folded-conv3d",
    file: "native/ops/folded_conv3d/cuda.cu",
    found: "place = 0; place < kPlaces; place++)\n      if (tap_inside(tap, kernel, place)) sum += places",
    planted: "place = 1; place < kPlaces; place++)\n      if (tap_inside(tap, kernel, place)) sum += places",
    says: wrong,
  },
  {
    name: "a token's gradient with the wrong sign",
    op: "token-affine",
    file: "native/ops/token_affine/cuda.cu",
    found: "to[c] = -from[c];",
    planted: "to[c] = from[c];",
    says: wrong,
  },
  {
    name: "the first block taken for a masked one",
    op: "densify",
    file: "native/ops/densify/cuda.cu",
    found: "if (from >= 0)",
    planted: "if (from > 0)",
    says: wrong,
  },
];

test.each(bugs.map((b, i) => [b.name, b, i] as const))("found: %s", async (_, bug, i) => {
  expect(readFileSync(join(root, bug.file), "utf8").split(bug.found)).toHaveLength(2);
  const library = await build(`bug-${i}`, { [bug.file]: (text) => text.replace(bug.found, bug.planted) });
  const { status, signal, stdout } = spawnSync(
    process.execPath,
    [
      "-r",
      require.resolve("tsx/cjs"),
      join(__dirname, "one-op.ts"),
      bug.op,
      ...(bug.dtype ? [bug.dtype] : []),
    ],
    { cwd: root, encoding: "utf8", env: { ...process.env, VOXELSPARK_CUDA_LIBRARY: library } },
  );
  expect({ status, signal, stdout }).toEqual({
    status: 3,
    signal: null,
    stdout: expect.stringMatching(bug.says),
  });
});

test("not found where there is none", () => {
  const { status, stdout } = spawnSync(
    process.execPath,
    ["-r", require.resolve("tsx/cjs"), join(__dirname, "one-op.ts"), "conv3d"],
    { cwd: root, encoding: "utf8" },
  );
  expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
});
