/** The generic checks of the op suite; see op-suite.ts. */
import { scope, setThreads, type Tensor, zeros } from "../lib";
import { native } from "../lib/binding";
import { type Random, rng } from "../lib/random";
import { relativeError } from "./golden/check";
import { looseMask, maskedData } from "./masks";
import {
  drawArray,
  drawValues,
  type OpRecord,
  type Outcome,
  runSample,
  type Sample,
  type Values,
} from "./op-suite";

/** Fresh on every run; set VOXELSPARK_TEST_SEED to repeat one. */
export const seed = Number(process.env.VOXELSPARK_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));

export const stream = (op: string, check: string, index = 0): Random =>
  rng(
    seed,
    [...`${op} ${check}`].reduce((h, c) => (h * 31 + c.charCodeAt(0)) % 1000003, 7),
    "test",
    index,
  );

/** Adds to a failure what is needed to see it again. */
export async function reproducible<T>(title: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    const line = `VOXELSPARK_TEST_SEED=${seed} npx jest test/ops/op-suite.test.ts -t "${title}"`;
    (error as Error).message += `\n\nrepeat with: ${line}`;
    throw error;
  }
}

type Upstream = (shape: readonly number[]) => Float32Array;

/** An upstream gradient that is drawn at its first use and then stays; integers where the inputs are. */
function upstreamFor(random: Random, sample: Sample): Upstream {
  const draw = Object.values(sample.inputs).some((i) => i.draw === "integer") ? "integer" : "normal";
  let values: Float32Array | undefined;
  return (shape) => {
    values ??= drawArray(random, shape, draw);
    return values;
  };
}

/** Values that keep away from the kink of a trailing leaky ReLU, where float32 and float64 may take other sides. */
async function settled(random: Random, sample: Sample): Promise<Values> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const values = drawValues(random, sample);
    if (sample.kink === undefined) return values;
    const [y] = (await runSample(sample, values, { device: "reference", dtype: "float64" })).outputs;
    const slope = sample.kink || 1; // with slope 0 the negative side is flat and reads as 0
    if ((y as Float64Array).every((v) => v === 0 || (v > 0 ? v : -v / slope) > 1e-4)) return values;
  }
  throw new Error(`${sample.name}: no draw keeps away from the kink`);
}

export const isas = (["scalar", "avx2", "avx512"] as const).slice(
  0,
  ["scalar", "avx2", "avx512"].indexOf(native.info().bestIsa) + 1,
);

/** Every output and gradient of the CPU device, under every instruction set, against the float64 reference. */
export async function cpuMatchesReference(record: OpRecord, random: Random): Promise<void> {
  const variants = isas.map((isa): Variant => [isa, () => native.configure({ isa })]);
  for (const sample of record.samples(random))
    await matchesReference(record, random, sample, "cpu", variants);
}

/** A name for messages and what makes the next launches run that way. */
export type Variant = readonly [name: string, set: () => void];

/** Every output and gradient of a sample on a device against the float64 reference; CUDA's variants agree in every bit. */
export async function matchesReference(
  record: OpRecord,
  random: Random,
  sample: Sample,
  device: "cpu" | "cuda",
  variants: readonly Variant[],
): Promise<void> {
  const values = await settled(random, sample);
  const upstream = record.gradient === "none" ? undefined : upstreamFor(random, sample);
  const wanted = await runSample(sample, values, { device: "reference", dtype: "float64", upstream });
  let first: Outcome | undefined;
  for (const [variant, set] of variants) {
    set();
    const found = await runSample(sample, values, { device, upstream });
    const where = `${sample.name}, ${variant}`;
    wanted.outputs.forEach((y, i) => {
      within(found.outputs[i], y, record.tolerance ?? 2e-6, `${where}, output ${i}`);
    });
    for (const [name, g] of Object.entries(wanted.gradients))
      if (g) within(found.gradients[name], g, record.tolerance ?? 2e-6, `${where}, gradient of ${name}`);
    first ??= found;
    if (device === "cuda" && !sameBits(found, first))
      throw new Error(`${where}: other bits than ${variants[0]?.[0]}`);
  }
}

function within(
  found: ArrayLike<number> | undefined,
  wanted: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  const error = found?.length === wanted.length ? relativeError(found, wanted) : Number.NaN;
  if (!(error <= tolerance)) throw new Error(`${what}: relative error ${error}, allowed is ${tolerance}`);
}

/** Same bits for 1, 2, 3 and 8 threads, and in a second run. */
export async function threadsAgree(record: OpRecord, random: Random): Promise<void> {
  const { threads } = native.info();
  const sample = record.large(random);
  const values = drawValues(random, sample);
  const upstream = record.gradient === "none" ? undefined : upstreamFor(random, sample);
  const once = () => runSample(sample, values, { device: "cpu", upstream });
  try {
    setThreads(1);
    const wanted = await once();
    for (const n of [2, 3, 8, 2]) {
      setThreads(n);
      expect(sameBits(await once(), wanted)).toBe(true);
    }
  } finally {
    setThreads(threads);
  }
}

function sameBits(a: Outcome, b: Outcome): boolean {
  const bytes = (v: Float32Array | Float64Array | undefined) =>
    v ? Buffer.from(v.buffer, v.byteOffset, v.byteLength) : Buffer.alloc(0);
  return (
    a.outputs.every((y, i) => bytes(y).equals(bytes(b.outputs[i]))) &&
    Object.keys(b.gradients).every((name) => bytes(a.gradients[name]).equals(bytes(b.gradients[name])))
  );
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
};

/** Gradients of the reference in float64 against central differences along random directions, an input at a time. */
export async function gradientsMatchDifferences(record: OpRecord, random: Random): Promise<void> {
  const [epsilon, tolerance] = record.gradient === "linear" ? [1e-3, 1e-8] : [1e-5, 1e-5];
  const place = { device: "reference", dtype: "float64" } as const;
  for (const sample of record.samples(random)) {
    const values = await settled(random, sample);
    const upstream = upstreamFor(random, sample);
    const { gradients, shapes } = await runSample(sample, values, { ...place, upstream });
    const weights = upstream(shapes[0] as number[]);
    const loss = async (name: string, moved: Float64Array) =>
      dot((await runSample(sample, { ...values, [name]: moved }, place)).outputs[0] as Float64Array, weights);
    for (const [name, gradient] of Object.entries(gradients)) {
      if (sample.inputs[name]?.constant) continue;
      const x = values[name] as Float32Array;
      const direction = random.fillNormal(new Float32Array(x.length));
      const along = (step: number) => Float64Array.from(x, (v, i) => v + step * (direction[i] as number));
      const difference =
        ((await loss(name, along(epsilon))) - (await loss(name, along(-epsilon)))) / (2 * epsilon);
      const g = gradient ?? new Float64Array(x.length);
      const scale = Math.sqrt(dot(g, g)) + 1e-3;
      const error = Math.abs(difference - dot(g, direction)) / scale;
      if (!(error <= tolerance))
        throw new Error(
          `${sample.name}: along a direction of ${name} the gradient says ${dot(g, direction)}, differences say ` +
            `${difference}: relative error ${error}, allowed is ${tolerance}`,
        );
    }
  }
}

/** y(masked x) = mask · y(dense x with zeros) to the bit, gradients too, whatever lies under the mask. */
export async function maskedEqualsDense(record: OpRecord, random: Random, masks: number): Promise<void> {
  for (let i = 0; i < masks; i++) {
    const sample = record.maskedIsDense?.(random) as Sample;
    const mask = sample.mask as NonNullable<Sample["mask"]>;
    const upstream = upstreamFor(random, sample);
    const dense: Sample = { ...sample, inputs: {} };
    const values = drawValues(random, sample);
    const [hidden, zeroed] = [{ ...values }, { ...values }];
    for (const [name, spec] of Object.entries(sample.inputs)) {
      dense.inputs[name] = { ...spec, masked: false };
      if (!spec.masked) continue;
      hidden[name] = maskedData(values[name] as Float32Array, spec.shape, mask, Number.NaN);
      zeroed[name] = maskedData(values[name] as Float32Array, spec.shape, mask);
    }
    const found = await runSample(sample, hidden, { device: "cpu", upstream });
    // The dense run gets the upstream gradient masked, as the sparse one stores it.
    const wanted = await runSample(dense, zeroed, {
      device: "cpu",
      upstream: (shape) => maskedData(upstream(shape), shape, mask),
    });
    const masked = (data: Float32Array | Float64Array, shape: readonly number[]) =>
      maskedData(data, shape, mask);
    const y = masked(wanted.outputs[0] as Float32Array, wanted.shapes[0] as number[]);
    within(found.outputs[0], y, 0, `${sample.name} under mask ${mask.visible.join("")}`);
    for (const [name, g] of Object.entries(wanted.gradients)) {
      const spec = sample.inputs[name];
      if (g && spec?.masked) within(found.gradients[name], masked(g, spec.shape), 0, `gradient of ${name}`);
    }
  }
}

/** Each wrong call is refused with its code, before anything is launched, on every device that needs no hardware. */
export function refusesBadInput(record: OpRecord): void {
  for (const { name, code, call } of record.errors)
    for (const device of ["cpu", "reference", "null"] as const) {
      const found = codeOf(() => scope(() => void call(device)));
      expect(`${name} on ${device}: ${found}`).toBe(`${name} on ${device}: ERR_VOXELSPARK_${code}`);
    }
}

/** What is no tensor in the place of an input is an ArgumentTypeError wherever a sample uses the input. */
export function refusesNoTensors(record: OpRecord, random: Random): void {
  const samples = record.samples(random);
  for (const name of new Set(samples.flatMap(({ inputs }) => Object.keys(inputs)))) {
    const using = samples.filter(({ inputs }) => name in inputs);
    const codes = ([null, 5, "x", {}] as unknown[] as Tensor[]).flatMap((value) =>
      using.map((sample) => codeOf(() => callWith(sample, name, value))),
    );
    const refusals = new Set(codes.filter((code) => code !== "nothing"));
    expect([name, ...refusals]).toEqual([name, "ERR_VOXELSPARK_TYPE"]);
  }
}

/** Calls the op with one of its inputs replaced, on the device that does not compute. */
function callWith(sample: Sample, name: string, value: Tensor): void {
  scope(() => {
    const mask = sample.mask && looseMask({ ...sample.mask, grid: [...sample.mask.grid] });
    const inputs: Record<string, Tensor> = {};
    for (const [own, { shape, masked }] of Object.entries(sample.inputs))
      inputs[own] = zeros(shape, { device: "null", mask: masked ? mask : undefined });
    sample.run({ ...inputs, [name]: value }, mask);
  });
}

/** The code of the error that a call throws, the error itself where it has none, or "nothing". */
function codeOf(call: () => unknown): unknown {
  try {
    call();
    return "nothing";
  } catch (error) {
    return (error as { code?: string }).code ?? error;
  }
}

/** Shape inference without arithmetic: the null device must give the shapes of the CPU. */
export function dryRunHasTheShapes(record: OpRecord, random: Random): void {
  for (const sample of record.samples(random)) {
    if (sample.mask) continue;
    const shapesOn = (device: "cpu" | "null") => {
      const inputs: Record<string, Tensor> = {};
      for (const [name, { shape }] of Object.entries(sample.inputs)) inputs[name] = zeros(shape, { device });
      const y = sample.run(inputs, undefined);
      return { shapes: (Array.isArray(y) ? y : [y]).map((t) => t.shape) };
    };
    expect(scope(() => shapesOn("null"))).toEqual(scope(() => shapesOn("cpu")));
  }
}
