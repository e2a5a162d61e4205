/**
 * Lists the launches of a whole pre-training step on CUDA without a GPU: host code runs as it is, under the emulator,
 * which writes every kernel down and runs none. 160³, batch 6 and bf16 take half a minute and no device memory.
 *
 *   tsx test/cuda/launches.ts [--patch 160] [--batch 6] [--ratio 0.75] [--steps 2] [--out launches.txt]
 *
 * Lines of the file: "op, name, inputs, outputs (shape:bytes:storage), attributes", then what it launches, "kernel, name,
 * blocks, threads, dynamic shared memory", or copies; parted by tabs. Prints the kernels of the last step by number.
 */
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { build, replaced } = require("./build.cjs") as {
  build(name: string, edits: Record<string, (text: string) => string>): Promise<string>;
  replaced(found: string, planted: string): (text: string) => string;
};

const listed = {
  "native/ops/cuda_registry.cu": (text: string) =>
    `#include "listed.h"\n${replaced(
      "return reinterpret_cast<void*>(name##_cuda);",
      "return emulator::listed<name##_cuda>(#name);",
    )(text)}`,
};

const { values } = parseArgs({
  options: {
    patch: { type: "string", default: "160" },
    batch: { type: "string", default: "6" },
    ratio: { type: "string", default: "0.75" },
    steps: { type: "string", default: "2" },
    out: { type: "string", default: join(tmpdir(), "launches.txt") },
  },
});

/** "void voxelspark::{anonymous}::f(A) [with T = B]" and the like, without what says nothing. */
const short = (name: string) =>
  name
    .replace(/^.*kKernel = /, "")
    .replace(/\]$/, "")
    .replace(/voxelspark::|\{anonymous\}::|\(anonymous namespace\)::|__nv_/g, "");

/** Kernels by number, of the lines of one step. */
function summary(lines: readonly string[]): string {
  const counts = new Map<string, { launches: number; blocks: number }>();
  for (const line of lines) {
    const [kind, name, grid] = line.split("\t") as [string, string, string];
    if (kind !== "kernel") continue;
    const row = counts.get(short(name)) ?? { launches: 0, blocks: 0 };
    row.launches++;
    row.blocks += grid.split(" ").reduce((a, b) => a * Number(b), 1);
    counts.set(short(name), row);
  }
  const rows = [...counts].sort(([, a], [, b]) => b.launches - a.launches);
  const total = rows.reduce((a, [, r]) => a + r.launches, 0);
  return [`${total} launches`, ...rows.map(([name, r]) => `${r.launches} ${r.blocks} blocks ${name}`)].join(
    "\n",
  );
}

async function main(): Promise<void> {
  process.env.VOXELSPARK_CUDA_LIBRARY = await build("listed", listed);
  process.env.VOXELSPARK_EMULATOR_CAPABILITY ??= "90";
  process.env.VOXELSPARK_EMULATOR_LAUNCHES = values.out;
  const [patch, batch, ratio] = [values.patch, values.batch, values.ratio].map(Number) as [
    number,
    number,
    number,
  ];
  const { planFor, stepData, Trainer } =
    require("../../bench/gpu/model") as typeof import("../../bench/gpu/model.js"); // after the environment is set
  const plan = planFor("bf16", "s3d", { patch: [patch, patch, patch], batch, mask: { ratio } });
  using trainer = new Trainer(plan, "cuda");
  const ends: number[] = [];
  for (let step = 0; step < Number(values.steps); step++) {
    await trainer.step(stepData(plan, step, ratio));
    ends.push(readFileSync(values.out, "utf8").trimEnd().split("\n").length);
  }
  const lines = readFileSync(values.out, "utf8").trimEnd().split("\n");
  console.log(summary(lines.slice(ends.at(-2) ?? 0, ends.at(-1))));
}

void main();
