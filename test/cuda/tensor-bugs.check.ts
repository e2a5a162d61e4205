/** The check of the check on tensor cores: kernels with one planted bug each must be found out. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const { build } = require("./build.cjs") as {
  build(name: string, edits: Record<string, (text: string) => string>): Promise<string>;
};
const root = resolve(__dirname, "../..");
const folder = "native/ops/conv3d";

interface Bug {
  name: string;
  /** That must notice, of tensor-cases.ts, as one-tensor.ts takes it. */
  notices: string;
  file: string;
  found: string;
  planted: string;
  says?: RegExp;
  /** Of products of warpgroups. */
  form?: "shared" | "registers";
}

const bugs: Bug[] = [
  {
    name: "statistics of voxels beyond a volume's end",
    notices: "halo, tiles that stick out",
    file: "cuda_halo_parts.cuh",
    found: "tile.x + lane / 4 < edge.x) rows |= 1u << r;",
    planted: "true) rows |= 1u << r;",
    says: /(mean|squares) of sample \d: relative error/,
  },
  {
    name: "tiles of unlike sizes that weigh the same",
    notices: "halo, a ragged volume",
    file: "cuda_epilogue.cu",
    found: "static_cast<double>(memory.counts[s])",
    planted: "1.0",
    says: /(mean|squares) of sample \d: relative error/,
  },
  {
    name: "sums of other warps that are not waited for",
    notices: "gather, blocks of edge 1",
    file: "cuda_epilogue.cuh",
    found: "x.sync();\n#pragma unroll\n  for (int c = 0; c < kColumns; c++) mean[c]",
    planted: "#pragma unroll\n  for (int c = 0; c < kColumns; c++) mean[c]",
    says: /(mean|squares) of sample \d: relative error|other bits/,
  },
  {
    name: "a buffer that is not waited for",
    notices: "gather, blocks of edge 1",
    file: "cuda_tensor_gemm.cu",
    found: "turn.wait_full(ring);",
    planted: "",
  },
  {
    name: "a buffer that is announced before its copies are done",
    notices: "gather, blocks of edge 1",
    file: "cuda_tensor_gemm.cu",
    found: "slice);\n      arrive_after_copies(ring.full(turn.buffer));",
    planted: "slice);\n      barrier_arrive(ring.full(turn.buffer));",
  },
  {
    name: "a wrong pitch of planes",
    notices: "gather, blocks of edge 1",
    file: "cuda_tensor_gemm.cu",
    found: "(k * 2 + lane / 16) * S::kPitch",
    planted: "(k * 2 + lane / 16) * kTensorRows",
  },
  {
    name: "a tile that is announced before its copies are done",
    notices: "halo, several slices",
    form: "shared",
    file: "cuda_halo_group.cu",
    found: "wait_for_copies<0>();",
    planted: "",
  },
  {
    name: "weights that are given back before they are read",
    notices: "halo, several slices",
    file: "cuda_halo_conv.cu",
    found: "weight_turn.wait_full(memory.weights);",
    planted:
      "weight_turn.wait_full(memory.weights);\n        release_buffer(memory.weights.empty(weight_turn.buffer));",
    says: /relative error|more arrivals|wait for what never happens/,
  },
  {
    name: "products that are not waited for before buffers are given back",
    notices: "halo, several slices",
    form: "shared",
    file: "cuda_halo_group.cu",
    found: "an empty product\n    }\n    wait_products<0>();",
    planted: "an empty product\n    }",
  },
  {
    name: "producers that wait for a buffer that another fills",
    notices: "starved: halo, several slices",
    form: "shared",
    file: "cuda_halo_group.cu",
    found: "if (threadIdx.x == 0) {\n      turn.wait_empty(this->memory.weights);",
    planted: "turn.wait_empty(this->memory.weights);\n    if (threadIdx.x == 0) {",
    says: /wait for what never happens/,
  },
  {
    name: "rows that are stored without a fence for the products",
    notices: "group, 64 columns, stride 2, pending",
    form: "shared",
    file: "cuda_group_gemm.cu",
    found: "wait_for_copies<0>();  // there are none",
    planted: "// there are none",
    says: /a product reads what was stored and not fenced/,
  },
  {
    name: "fragments that are loaded without a fence of registers",
    notices: "halo, several slices",
    form: "registers",
    file: "cuda_halo_group.cu",
    found: "m, dy, dx));\n        begin_products();",
    planted: "m, dy, dx));",
    says: /without wgmma\.fence/,
  },
  {
    name: "a wrong distance of rows in a descriptor",
    notices: "halo, several slices",
    form: "shared",
    file: "cuda_halo_group.cu",
    found: "matrix_layout(kHaloEdge * 16",
    planted: "matrix_layout(kTileEdge * 16",
  },
  {
    name: "fragments that are loaded while products read them",
    notices: "halo, several slices",
    form: "registers",
    file: "cuda_halo_group.cu",
    found: "wait_products<1>();",
    planted: "",
  },
  {
    name: "a step that is announced before its copies are done",
    notices: "group, 64 columns, stride 2",
    form: "shared",
    file: "cuda_group_gemm.cu",
    found: "wait_for_copies<kLead>();",
    planted: "wait_for_copies<kLead + 1>();",
  },
  {
    name: "a step that is given back while its products run",
    notices: "group, 256 columns, kernel 1, more steps than buffers",
    form: "shared",
    file: "cuda_group_gemm.cu",
    found: "if (step == part.begin) continue;",
    planted: "",
    says: /relative error|more arrivals/,
  },
  {
    name: "sums that are written before their last products are done",
    notices: "group, 64 columns, stride 2",
    form: "shared",
    file: "cuda_group_gemm.cu",
    found: "wait_products<0>();",
    planted: "",
  },
  {
    name: "a wrong distance of planes in a descriptor",
    notices: "group, 64 columns, stride 2",
    form: "shared",
    file: "cuda_group_gemm.cu",
    found: "matrix_layout(8 * 16, S::kPitch * 16)",
    planted: "matrix_layout(8 * 16, kTensorRows * 16)",
  },
  {
    name: "the rows of the first tap for all taps",
    notices: "group, 160 columns, blocks of edge 1",
    form: "shared",
    file: "cuda_gather_parts.cuh",
    found: "if (step == part.begin || step == tap * steps)",
    planted: "if (step == part.begin)",
  },
  {
    name: "one table of rows for two taps",
    notices: "group, 64 columns, blocks of edge 4",
    form: "shared",
    file: "cuda_gather_parts.cuh",
    found: "S::kTables + tap % 2 * kTensorRows * 4",
    planted: "S::kTables",
  },
  {
    name: "masked voxels read as the first stored one",
    notices: "gather, one visible block",
    file: "cuda_gather_parts.cuh",
    found: "const bool valid = has_channel && from[i] >= 0;",
    planted: "const bool valid = has_channel;",
    says: /relative error|died|signal/,
  },
  {
    name: "the second of two maps one channel too late",
    notices: "gather, stride 2 of an odd volume, joined",
    file: "cuda_source.cuh",
    found: "if (channel < first_channels)",
    planted: "if (channel <= first_channels)",
  },
  {
    name: "the second of two maps by the first's pitch",
    notices: "halo, 128 channels, a narrow first map, joined",
    file: "cuda_source.cuh",
    found: "channels - first_channels};",
    planted: "first_channels};",
  },
  {
    name: "one map for a slice of both",
    notices: "halo, a slice of both maps, a ragged volume, joined",
    file: "cuda_halo_weight.cu",
    found: "w.x, w.source_slice(), buffer, thread);\n    copy_gradient",
    planted:
      "{{w.x.first, w.x.first, w.x.first_channels, 2 * w.x.first_channels}, w.x.norm}, w.source_slice(), buffer, thread);\n    copy_gradient",
  },
  {
    name: "channels of the first map for a run of the second",
    notices: "gather, stride 2 of an odd volume, joined",
    file: "cuda_tensor_weight.cu",
    found: "x = w.x.from(copies_x ? c : 0)",
    planted: "x = w.x.from(w.first_source())",
  },
  {
    name: "two channels at once where the first map ends between them",
    notices: "13 of 24 channels, written by tensor cores, joined",
    file: "cuda_gather_store.cuh",
    found: "put_sum<T>(g.y.from(c + 1).of(voxel), high, adds);",
    planted: "put_sum<T>(g.y.from(c).of(voxel) + 1, high, adds);",
  },
  {
    name: "maps that end within a run given to kernels of whole runs",
    notices: "6 of 32 channels on halo tiles, joined",
    file: "cuda_engine.h",
    found: "const bool whole_runs = c.split % kRunChannels == 0;",
    planted: "const bool whole_runs = true;",
    says: /relative error|not aligned/,
  },
  {
    name: "tiles that are given back before they are read",
    notices: "halo, blocks of edge 8",
    file: "cuda_halo_weight.cu",
    found: "add(shared + turn.buffer * kBufferBytes);\n      release_buffer(ring.empty(turn.buffer));",
    planted: "release_buffer(ring.empty(turn.buffer));\n      add(shared + turn.buffer * kBufferBytes);",
  },
  {
    name: "voxels beyond the end",
    notices: "gather, weights in splits",
    file: "cuda_tensor_weight.cu",
    found: "const bool exists = voxel < w.end();",
    planted: "const bool exists = true;",
  },
  {
    name: "a barrier that waits for one arrival too many",
    notices: "gather, weights in splits",
    file: "cuda_tensor_weight.cu",
    found: "ring.init(kProducers * (w.pending() ? 2 : 1),",
    planted: "ring.init(kProducers * (w.pending() ? 2 : 1) + 1,",
    says: /wait for what never happens/,
  },
];

function run(library: string | undefined, { notices, form }: Pick<Bug, "notices" | "form">) {
  const env = {
    ...process.env,
    ...(form && { VOXELSPARK_CUDA_WGMMA: form }),
    ...(library && { VOXELSPARK_CUDA_LIBRARY: library }),
  };
  const { status, signal, stdout } = spawnSync(
    process.execPath,
    ["-r", require.resolve("tsx/cjs"), join(__dirname, "one-tensor.ts"), form ? "90" : "80", notices],
    { cwd: root, encoding: "utf8", env },
  );
  return { status, signal, stdout };
}

test.each(bugs.map((b, i) => [b.name, b, i] as const))("found: %s", async (_, bug, i) => {
  const file = `${folder}/${bug.file}`;
  expect(readFileSync(join(root, file), "utf8").split(bug.found)).toHaveLength(2);
  const library = await build(`tensor-bug-${i}`, { [file]: (text) => text.replace(bug.found, bug.planted) });
  expect(run(library, bug)).toEqual({
    status: 3,
    signal: null,
    stdout: expect.stringMatching(bug.says ?? /relative error|other bits/),
  });
});

test("not found where there is none", () =>
  expect(run(undefined, { notices: "gather, weights in splits" })).toEqual({
    status: 0,
    signal: null,
    stdout: "",
  }));
