/**
 * Every op on the GPU in float32: against the float64 reference (the op records), and at the networks' channel counts
 * against PyTorch in float64, beside PyTorch's own error and our CPU. Inputs are drawn anew in each run; each result is
 * computed twice and must have the same bits. Stages of their own do the same for what may fail or hang by itself:
 * `mixed` in 16 bits, `groups` by the products of warpgroups.
 */
import { readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { BlockMask, type DeviceName, info, Tape, type Tensor, tensor } from "../../../lib";
import { type Random, rng } from "../../../lib/random";
import { scope } from "../../../lib/scope";
import {
  drawArray,
  drawValues as drawSample,
  type OpRecord,
  type Outcome,
  runSample,
} from "../../../test/op-suite";
import * as suite from "../../../test/op-suite-checks";
import { Peer } from "../../peers/peer";
import { type Case, type CaseInput, distance, drawCases } from "../cases";
import { type Form, inForm } from "../forms";
import { dry, type Part, peerDevice, python, requireGpu, workFolder } from "../part";
import { dtypeOf, type Precision } from "../precisions";

const records = resolve(__dirname, "../../../test/ops/records");

export const loadRecords = (): OpRecord[] =>
  readdirSync(records)
    .filter((file) => /\.(ts|js)$/.test(file) && !file.endsWith(".d.ts"))
    .map((file) => (require(join(records, file)) as { record: OpRecord }).record);

/** Ops of which the backend has every kernel, and the others' names. */
export function present(all: readonly OpRecord[]): { has: OpRecord[]; lacks: string[] } {
  const { missingKernels } = info().cuda;
  const lacks = all.filter(({ kernels }) => kernels.some((k) => missingKernels.includes(k)));
  return { has: all.filter((r) => !lacks.includes(r)), lacks: lacks.map(({ op }) => op) };
}

async function againstReference(part: Part): Promise<void> {
  const { has, lacks } = present(loadRecords());
  part.fact("ops without CUDA kernels", lacks);
  part.fact("seed", suite.seed);
  for (const record of has)
    await part.attempt(`${record.op} against float64`, async () => {
      const random = suite.stream(record.op, "gpu");
      const twice = ["once", "again"].map((name) => [name, () => {}] as const);
      const samples = record.samples(random);
      for (const sample of samples) await suite.matchesReference(record, random, sample, "cuda", twice);
      part.check(`${record.op} against float64`, true, `${samples.length} samples, the same bits twice`);
    });
  for (const record of has) await part.attempt(`${record.op}, large`, () => large(part, record));
}

/**
 * A sample of a size for which the reference would take minutes, beside our CPU. Among so many values some lie so close to a
 * label's border or a kink that devices take other sides: of labels a few may differ, gradients behind a kink are left out.
 */
async function large(part: Part, record: OpRecord): Promise<void> {
  const random = suite.stream(record.op, "gpu, large");
  const sample = record.large(random);
  const values = drawSample(random, sample);
  let gradient: Float32Array | undefined;
  const upstream = (shape: readonly number[]) => {
    gradient ??= drawArray(random, shape);
    return gradient;
  };
  const on = (device: DeviceName) =>
    runSample(sample, values, { device, ...(record.gradient !== "none" && { upstream }) });
  const [once, again, cpu] = [await on("cuda"), await on("cuda"), await on("cpu")];
  const allOf = ({ outputs, gradients }: Outcome, withGradients: boolean) =>
    [
      ...outputs.map((v, i) => [`output ${i}`, v] as const),
      ...(withGradients ? Object.entries(gradients) : []),
    ].flatMap(([what, v]) => (v ? [[what, v as Float32Array] as const] : []));
  const [first, second] = [once, again].map((o) => Object.fromEntries(allOf(o, true)) as Values);
  part.check(`${record.op}, large, twice`, sameBits(first!, second!), "the same bits");
  for (const [what, v] of allOf(cpu, sample.kink === undefined)) {
    const found = first![what] ?? [];
    const off = record.tolerance === 0 ? differing(found, v) : distance(found, v);
    // Our CPU's own distance: 4e-6, of Winograd's convolutions.
    part.within(`${record.op}, large, ${what} beside our CPU`, off, record.tolerance === 0 ? 1e-4 : 2e-5);
  }
}

/** Share of the elements that are not the same. */
function differing(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.NaN;
  let count = 0;
  for (let i = 0; i < b.length; i++) if (a[i] !== b[i]) count++;
  return count / b.length;
}

type Values = Record<string, Float32Array>;
type Upstream = (shape: readonly number[]) => Float32Array;

/** A prime, so that what repeats lies elsewhere in every row, plane and channel. */
const DRAWN = 262_139;

/** Normals with 8 bits of mantissa: exact in every precision, so that what is judged is the op. */
function drawValues(random: Random, { shape, labels }: CaseInput): Float32Array {
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
  if (labels) return values.map(() => random.int(labels));
  const drawn = random.fillNormal(new Float32Array(Math.min(DRAWN, values.length)));
  const bits = new Uint32Array(drawn.buffer);
  for (let i = 0; i < bits.length; i++) bits[i] = (bits[i] as number) & 0xffff0000;
  for (let at = 0; at < values.length; at += drawn.length)
    values.set(drawn.subarray(0, Math.min(drawn.length, values.length - at)), at);
  return values;
}

/** Output and gradients of one call. */
async function run(c: Case, values: Values, upstream: Upstream, device: DeviceName, precision: Precision) {
  const mask = c.mask && new BlockMask(c.mask);
  const inputs: Record<string, Tensor> = {};
  for (const [name, spec] of Object.entries(c.inputs))
    inputs[name] = tensor(values[name] as Float32Array, spec.shape, {
      device,
      dtype: spec.feature ? dtypeOf(precision) : "float32",
      requiresGrad: !spec.constant && !spec.labels,
      mask: spec.masked ? mask : undefined,
    });
  const tape = new Tape();
  const y = scope(() => tape.record(() => c.run(inputs, mask)));
  const found: Values = { y: (await y.data()) as Float32Array };
  const gy = tensor(upstream(y.shape), y.shape, { device, dtype: y.dtype, mask: y.mask });
  if (y.requiresGrad) tape.backward(y, gy);
  for (const [name, t] of Object.entries(inputs))
    if (t.grad) found[name] = (await t.grad.data()) as Float32Array;
  tape.dispose();
  for (const t of [y, gy, ...Object.values(inputs)]) t.dispose();
  mask?.dispose();
  return found;
}

const sameBits = (a: Values, b: Values) =>
  Object.entries(a).every(([name, v]) =>
    Buffer.from(v.buffer).equals(Buffer.from((b[name] as Float32Array).buffer)),
  );

export class TorchCheck {
  private files = 0;

  constructor(
    private readonly part: Part,
    private readonly peer: Peer,
    private readonly random: Random,
  ) {}

  private write(values: Float32Array): string {
    const file = join(workFolder(), `values-${this.files++ % 64}.f32`);
    writeFileSync(file, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    return file;
  }

  async check(c: Case, precision: Precision, form: Form = "off"): Promise<void> {
    const values: Values = {};
    for (const [name, spec] of Object.entries(c.inputs)) values[name] = drawValues(this.random, spec);
    const scalar = c.op === "masked_mse" || c.op === "dice_cross_entropy";
    let gradient: Float32Array | undefined;
    const upstream: Upstream = (shape) => {
      gradient ??= scalar ? Float32Array.of(1) : drawValues(this.random, { shape });
      return gradient;
    };
    const ours = () => inForm(form, () => run(c, values, upstream, "cuda", precision));
    const [found, again] = [await ours(), await ours()];
    const name = `${precision} ${c.name}${form === "off" ? "" : `, wgmma ${form}`}`;
    this.part.check(`${name}, twice`, sameBits(found, again), "the same bits");
    if (precision === "fp32") {
      const cpu = await run(c, values, upstream, "cpu", precision);
      for (const [what, v] of Object.entries(cpu))
        this.part.within(`${name}, ${what} beside our CPU`, distance(found[what] ?? [], v), 1e-5);
    }
    await this.judge(c, name, precision, values, found, scalar ? undefined : gradient);
  }

  private async judge(
    c: Case,
    name: string,
    precision: Precision,
    values: Values,
    found: Values,
    upstream: Float32Array | undefined,
  ): Promise<void> {
    const inputs = Object.entries(c.inputs).map(([key, { shape, constant = false, labels }]) => [
      key,
      { file: this.write(values[key] as Float32Array), shape, constant: constant || labels !== undefined },
    ]);
    const answer = (await this.peer.ask({
      cmd: "check",
      ...{ op: c.op, precision, attributes: c.attributes, inputs: Object.fromEntries(inputs) },
      mask: c.mask ? { ...c.mask, visible: [...c.mask.visible] } : null,
      upstream: upstream ? this.write(upstream) : null,
      found: Object.fromEntries(Object.entries(found).map(([key, v]) => [key, this.write(v)])),
    })) as Record<"errors" | "own", Record<string, number | null>>;
    for (const [what, found] of Object.entries(answer.errors)) {
      const error = found ?? Number.NaN;
      const own = answer.own[what] ?? 5e-3;
      const allowed = precision === "fp32" ? 1e-5 : Math.max(2 * own, 1e-4);
      const says = `error ${error.toExponential(2)}, PyTorch's own ${own.toExponential(2)}, allowed ${allowed.toExponential(2)}`;
      if (precision !== "fp32" && typeof answer.own[what] === "number")
        this.part.add("deviations", { what: `${name}, ${what}`, precision, error, own });
      this.part.check(`${name}, ${what} beside float64`, error <= allowed, says);
    }
  }
}

const has16Bits = (c: Case) => Object.values(c.inputs).some(({ feature }) => feature);

/** Cases beside PyTorch in one precision. */
export async function againstTorch(
  part: Part,
  precisions: readonly Precision[],
  wanted: (c: Case) => boolean = () => true,
  form: Form = "off",
): Promise<void> {
  using peer = (await Peer.start(python, "check_ops.py", ["--device", peerDevice])).peer;
  const check = new TorchCheck(part, peer, rng(suite.seed, 1, "bench"));
  for (const precision of precisions)
    for (const c of drawCases(suite.seed, dry).filter(
      (c) => wanted(c) && (has16Bits(c) || precision === "fp32"),
    ))
      await part.attempt(`${precision} ${c.name}${form === "off" ? "" : `, wgmma ${form}`}`, () =>
        check.check(c, precision, form),
      );
}

export default async function correct(part: Part): Promise<void> {
  requireGpu();
  // The peer first: what it sees, at real sizes, is what matters most should time run out.
  await part.attempt("ops beside PyTorch", () => againstTorch(part, ["fp32"]));
  await againstReference(part);
}
