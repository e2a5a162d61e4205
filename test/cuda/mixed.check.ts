/** Kernels in 16 bits against the float32 ones: the op records, and channels that move in vectors. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import {
  add,
  applyMask,
  avgPool3d,
  type BlockMask,
  concat,
  conv3d,
  convTranspose3d,
  densify,
  leakyRelu,
  maskedNorm,
  type Tensor,
  type Triple,
} from "../../lib";
import { launch } from "../../lib/launch";
import type { Random } from "../../lib/random";
import { drawMask, type OpRecord, runSample, type Sample } from "../op-suite";
import * as checks from "../op-suite-checks";
import { forget, schedules, steer } from "./control";
import { formats, matchesFloat32, nearest, types } from "./half";

afterAll(forget);

const folder = join(__dirname, "../ops/records");
const records = readdirSync(folder).map((f) => (require(join(folder, f)) as { record: OpRecord }).record);
/** Ops that have 16-bit kernels, and how often a value is stored on its way through a record's sample. */
const ops = new Map([
  ["add", 3],
  ["apply_mask", 1],
  ["avg_pool3d", 1],
  ["concat", 1],
  ["conv3d", 1],
  ["conv_transpose3d", 1],
  ["densify", 1],
  ["leaky_relu", 1],
  ["masked_norm", 1],
  ["scale", 1],
]);
const variants = [0, 3].map((i) => [JSON.stringify(schedules[i]), () => steer(schedules[i])] as const);

describe.each(types)("%s", (dtype) => {
  test.each(records.filter((r) => ops.has(r.op)).map((r) => [r.op, r] as const))("%s", async (op, record) => {
    const random = checks.stream(op, dtype);
    await checks.reproducible(op, async () => {
      // Sums one after another may cancel: "accumulate" is a case of its own below, and so is what reads a norm.
      for (const sample of record
        .samples(random)
        .filter(({ name }) => !/accumulate in place|"readers"/.test(name)))
        await matchesFloat32(random, sample, dtype, variants, ops.get(op));
    });
  });

  test.each(vectors())("%s", async (name, make) => {
    const random = checks.stream(name, dtype);
    await checks.reproducible(name, () => matchesFloat32(random, make(random), dtype, variants, 2));
  });

  test("sums of small whole numbers are exact", async () => {
    const random = checks.stream("exact", dtype);
    const mask = drawMask(random, 1, [2, 2, 2]) as NonNullable<Sample["mask"]>;
    const sample: Sample = {
      name: "conv3d of signs",
      inputs: { x: { shape: [1, 2, 8, 8, 8], masked: true }, weight: { shape: [4, 2, 3, 3, 3] } },
      mask,
      run: ({ x, weight }) => conv3d(x!, weight!, undefined, { padding: [1, 1, 1] }),
    };
    const signs = (length: number) => Float32Array.from({ length }, () => random.int(3) - 1);
    const values = { x: signs(1024), weight: signs(216) };
    const upstream = (shape: readonly number[]) => signs(shape.reduce((a, b) => a * b)).fill(1);
    const dtypeOf = (input: string) => (input === "x" ? dtype : ("float32" as const));
    const wanted = await runSample(sample, values, { device: "reference", upstream });
    const found = await runSample(sample, values, { device: "cuda", dtypeOf, upstream });
    expect(found.outputs).toEqual(wanted.outputs);
    expect(found.gradients).toEqual(wanted.gradients);
  });

  test("weights are rounded, biases are not", async () => {
    const [w, b] = [1 + 2 ** -12, 2 ** -12];
    const sample: Sample = {
      name: "one voxel",
      inputs: { x: { shape: [1, 1, 1, 1, 1] }, weight: { shape: [1, 1, 1, 1, 1] }, bias: { shape: [1] } },
      run: ({ x, weight, bias }) => conv3d(x!, weight!, bias),
    };
    const values = { x: Float32Array.of(0.5), weight: Float32Array.of(w), bias: Float32Array.of(-0.5 + b) };
    const dtypeOf = (input: string) => (input === "x" ? dtype : ("float32" as const));
    const { outputs } = await runSample(sample, values, { device: "cuda", dtypeOf });
    expect(nearest(w, formats[dtype])).toBe(1);
    expect(Array.from(outputs[0]!)).toEqual([b]);
  });
});

/** Numbers of channels that are multiples of eight and of four, sparse and dense. */
function vectors() {
  const masked = (
    random: Random,
    channels: number,
    run: Sample["run"],
    more: Sample["inputs"] = {},
  ): Sample => ({
    name: `${channels} channels`,
    inputs: { x: { shape: [2, channels, 8, 8, 8], masked: true }, ...more },
    mask: drawMask(random, 2, [2, 2, 2]) as NonNullable<Sample["mask"]>,
    run,
  });
  const same: { padding: Triple } = { padding: [1, 1, 1] };
  const half: { padding: Triple; stride: Triple } = { ...same, stride: [2, 2, 2] };
  const vector = (n: number) => ({ shape: [n] });
  const cases: Record<string, (random: Random) => Sample> = {
    "conv3d, 16 to 24": (r) =>
      masked(r, 16, ({ x, weight, bias }) => conv3d(x!, weight!, bias, same), {
        weight: { shape: [24, 16, 3, 3, 3] },
        bias: vector(24),
      }),
    "conv3d of stride 2, 12 to 8": (r) =>
      masked(r, 12, ({ x, weight }) => conv3d(x!, weight!, undefined, half), {
        weight: { shape: [8, 12, 3, 3, 3] },
      }),
    "conv_transpose3d, 24 to 16": (r) =>
      masked(r, 24, ({ x, weight, bias }) => convTranspose3d(x!, weight!, bias), {
        weight: { shape: [24, 16, 2, 2, 2] },
        bias: vector(16),
      }),
    "masked_norm with leaky ReLU, 40": (r) =>
      masked(r, 40, ({ x, gamma, beta }) => maskedNorm(x!, gamma, beta, { kind: "instance", slope: 0.01 }), {
        gamma: vector(40),
        beta: vector(40),
      }),
    "densify, 16": (r) => masked(r, 16, ({ x, token }) => densify(x!, token), { token: vector(16) }),
    "apply_mask, 16": (r) => ({
      ...masked(r, 16, ({ x }, mask) => applyMask(x!, mask as BlockMask)),
      inputs: { x: { shape: [2, 16, 8, 8, 8] } },
    }),
    "concat of 8, 16 and 4": (r) => ({
      ...masked(r, 8, (named) => concat(...(Object.values(named) as Tensor[]))),
      inputs: Object.fromEntries([8, 16, 4].map((c) => [`x${c}`, { shape: [2, c, 8, 8, 8], masked: true }])),
    }),
    "avg_pool3d, 24": (r) => masked(r, 24, ({ x }) => avgPool3d(x!)),
    "accumulate, 27": () => ({
      name: "in place",
      inputs: { sum: { shape: [27], constant: true }, term: { shape: [27], constant: true } },
      run: ({ sum, term }) => {
        launch("accumulate", [sum, term], {});
        return sum!;
      },
    }),
    "add and leaky ReLU, 24": (r) => masked(r, 24, ({ x }) => leakyRelu(add(x!, x!), 0.25)),
  };
  return Object.entries(cases);
}
