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
    found: "return voxel < 0 ? nullptr : x + voxel * source_channels;",
    planted: "return x + (voxel < 0 ? 0 : voxel) * source_channels;",
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
    file: "native/ops/masked_norm/cuda.cu",
    found: "rows[at.row][at.lane] = own;\n  __syncthreads();",
    planted: "rows[at.row][at.lane] = own;",
    says: wrong,
  },
  {
    name: "statistics of the first sample for all",
    op: "masked-norm",
    file: "native/ops/masked_norm/cuda.cu",
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
    found: "v[1] = v[0] * xhat;",
    planted: "v[1] = rounded<T>(v[0] * xhat);",
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
