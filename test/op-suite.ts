/**
 * One record an op, generic checks over all of them: what PyTorch calls OpInfo. A record gives samples (fresh random
 * shapes and values from a seed), calls that must fail, and tolerances; `checkRecord` in op-suite-checks.ts does the rest.
 */
import { type BlockMask, type DeviceName, type DType, scope, Tape, type Tensor, tensor } from "../lib";
import type { Random } from "../lib/random";
import { looseMask } from "./masks";

export type Named = Record<string, Tensor>;

export interface InputSpec {
  shape: readonly number[];
  /** Stored under the sample's mask. */
  masked?: boolean;
  /** Never wants a gradient. */
  constant?: boolean;
  /** Default "normal". "integer": -2 … 2. */
  draw?: "normal" | "positive" | "integer";
}

export interface Sample {
  name: string;
  inputs: Record<string, InputSpec>;
  mask?: { samples: number; grid: readonly [number, number, number]; visible: Uint8Array };
  /** Calls the op through its public wrapper; in-place ops return what they changed. */
  run(inputs: Named, mask: BlockMask | undefined): Tensor | Tensor[];
  /** Negative slope of a leaky ReLU at the end: points near its kink are drawn again. */
  kink?: number;
}

export interface ErrorCase {
  name: string;
  code: "TYPE" | "RANGE" | "SHAPE" | "DEVICE";
  call(device: DeviceName): unknown;
}

export interface OpRecord {
  op: string;
  /** Lines of ops.def that the samples run, gradients included. */
  kernels: readonly string[];
  samples(random: Random): Sample[];
  /** Big enough that several threads take part. */
  large(random: Random): Sample;
  errors: readonly ErrorCase[];
  /** CPU against the reference, relative to the largest value; default 2e-6, 0 for copies. */
  tolerance?: number;
  /** Whether gradients are checked: 1e-8 for "linear" (exact differences), 1e-5 for "smooth". */
  gradient: "linear" | "smooth" | "none";
  /** Whether y(masked x) is the mask times y(dense, masked to 0): elementwise and local ops. */
  maskedIsDense?: (random: Random) => Sample;
}

export const triple = (random: Random, low: number, high: number): [number, number, number] => {
  const next = () => low + random.int(high - low + 1);
  return [next(), next(), next()];
};

/** Any number of visible cells in each sample, none and all included. */
export function drawMask(
  random: Random,
  samples: number,
  grid: readonly [number, number, number],
): Sample["mask"] {
  const cells = grid[0] * grid[1] * grid[2];
  const visible = new Uint8Array(samples * cells);
  for (let n = 0; n < samples; n++) {
    const order = random.shuffle(Array.from({ length: cells }, (_, i) => i));
    for (const cell of order.slice(0, random.int(cells + 1))) visible[n * cells + cell] = 1;
  }
  return { samples, grid, visible };
}

export type Values = Record<string, Float32Array>;

export function drawArray(
  random: Random,
  shape: readonly number[],
  draw: InputSpec["draw"] = "normal",
): Float32Array {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  if (draw === "integer") for (let i = 0; i < data.length; i++) data[i] = random.int(5) - 2;
  else if (draw === "positive") random.fillUniform(data, 0.5, 2);
  else random.fillNormal(data);
  return data;
}

export function drawValues(random: Random, sample: Sample): Values {
  const values: Values = {};
  for (const [name, { shape, draw }] of Object.entries(sample.inputs))
    values[name] = drawArray(random, shape, draw);
  return values;
}

export interface Outcome {
  outputs: (Float32Array | Float64Array)[];
  shapes: (readonly number[])[];
  dtypes: DType[];
  /** By input; undefined where none arrived. */
  gradients: Record<string, Float32Array | Float64Array | undefined>;
}

export interface Placement {
  device: DeviceName;
  dtype?: DType;
  /** Of each input, instead. */
  dtypeOf?: (name: string) => DType;
  /** Makes the upstream gradient of the first output; without it there is no backward pass. */
  upstream?: ((shape: readonly number[]) => Float32Array) | undefined;
}

/** Runs a sample once and frees everything. */
export async function runSample(
  sample: Sample,
  values: Record<string, Float32Array | Float64Array>,
  { device, dtype = "float32", dtypeOf = () => dtype, upstream }: Placement,
): Promise<Outcome> {
  const mask = sample.mask && looseMask({ ...sample.mask, grid: [...sample.mask.grid] });
  const array = dtype === "float64" ? Float64Array : Float32Array;
  const inputs: Named = {};
  for (const [name, spec] of Object.entries(sample.inputs))
    inputs[name] = tensor(array.from(values[name] as Float32Array), spec.shape, {
      device,
      dtype: dtypeOf(name),
      requiresGrad: !spec.constant,
      mask: spec.masked ? mask : undefined,
    });
  const tape = new Tape();
  const returned = scope(() => tape.record(() => sample.run(inputs, mask)));
  const outputs = Array.isArray(returned) ? returned : [returned];
  const [shapes, dtypes] = [outputs.map((y) => y.shape), outputs.map((y) => y.dtype)];
  const outcome: Outcome = { outputs: [], shapes, dtypes, gradients: {} };
  for (const y of outputs) outcome.outputs.push(await y.data());
  if (upstream) {
    const y = outputs[0] as Tensor;
    const g = tensor(array.from(upstream(y.shape)), y.shape, { device, dtype: y.dtype, mask: y.mask });
    if (y.requiresGrad) tape.backward(y, g); // kernels without a rule leave nothing on the tape
    for (const [name, t] of Object.entries(inputs)) outcome.gradients[name] = await t.grad?.data();
    g.dispose();
  }
  tape.dispose();
  for (const t of [...outputs, ...Object.values(inputs)]) t.dispose();
  mask?.dispose();
  return outcome;
}
