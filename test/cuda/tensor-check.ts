/** The check of convolutions of 16-bit feature maps against the float64 reference, on values that 16 bits represent. */
import {
  type BlockMask,
  conv3d,
  convTranspose3d,
  type DType,
  Tape,
  type Tensor,
  type Triple,
  tensor,
} from "../../lib";
import type { Random } from "../../lib/random";
import { relativeError } from "../golden/check";
import { looseMask } from "../masks";
import { drawArray, drawMask } from "../op-suite";
import * as checks from "../op-suite-checks";
import { type Steering, steer } from "./control";
import { type Case, cube } from "./tensor-cases";

export type Half = "bfloat16" | "float16";
export type Stored = Half | "float32";

/** Half of the distance of two neighbouring numbers, relative to the larger values. */
const rounding = { bfloat16: 2 ** -8, float16: 2 ** -11, float32: 5e-6 };

async function roundTrip(values: ArrayLike<number>, dtype: DType): Promise<Float32Array> {
  const t = tensor(Float32Array.from(values), [values.length], { device: "cuda", dtype });
  return (await t.data()) as Float32Array;
}

type Found = Float32Array | Float64Array;

interface Values {
  x: Float32Array;
  weight: Float32Array;
  bias: Float32Array;
  upstream: Float32Array;
}

function convolve(c: Case, x: Tensor, weight: Tensor, bias: Tensor | undefined): Tensor {
  if (c.transposed) return convTranspose3d(x, weight, bias);
  const padding = c.kernel.map((k) => (k - 1) / 2) as unknown as Triple;
  return conv3d(x, weight, bias, { stride: c.stride ?? cube(1), padding, moments: true });
}

/** y, its statistics, and the gradients of x, the weight and the bias. */
async function run(c: Case, values: Values, mask: BlockMask | undefined, dtype: Stored | "float64") {
  const reference = dtype === "float64";
  const device = reference ? "reference" : "cuda";
  const array = reference ? Float64Array : Float32Array;
  const wide = reference ? "float64" : "float32";
  const [from, to] = c.channels;
  const shape = c.transposed ? [from, to, ...c.kernel] : [to, from, ...c.kernel];
  const options = { device, requiresGrad: true } as const;
  const x = tensor(array.from(values.x), [c.samples ?? 1, from, ...c.size], { ...options, dtype, mask });
  const weight = tensor(array.from(values.weight), shape, { ...options, dtype: wide });
  const bias = c.bias ? tensor(array.from(values.bias), [to], { ...options, dtype: wide }) : undefined;
  const tape = new Tape();
  const y = tape.record(() => convolve(c, x, weight, bias));
  tape.backward(y, tensor(array.from(values.upstream), y.shape, { device, dtype, mask: y.mask }));
  return {
    y: await y.data(),
    ...(y.left() && { moments: await y.left()!.data() }),
    "gradient of x": await x.grad!.data(),
    "gradient of weight": await weight.grad!.data(),
    ...(bias && { "gradient of bias": await bias.grad!.data() }),
  } as Record<string, Float32Array | Float64Array>;
}

/** Kernels are odd and padded to keep the size. */
export function outputSize({ size, kernel, stride = cube(1), transposed }: Case): number[] {
  if (transposed) return size.map((s, i) => s * (kernel[i] as number));
  return size.map((s, i) => Math.floor((s - 1) / (stride[i] as number)) + 1);
}

async function drawValues(random: Random, c: Case, dtype: Stored): Promise<Values> {
  const [from, to] = c.channels;
  const samples = c.samples ?? 1;
  const draw = async (shape: readonly number[]) =>
    roundTrip(drawArray(random, shape, c.integer ? "integer" : "normal"), dtype);
  return {
    x: await draw([samples, from, ...c.size]),
    weight: await draw([from, to, ...c.kernel]),
    bias: await draw([to]),
    upstream: await draw([samples, to, ...outputSize(c)]),
  };
}

export function drawCells(random: Random, c: Case): BlockMask | undefined {
  if (!c.cells) return undefined;
  const samples = c.samples ?? 1;
  const grid = cube(c.cells);
  const any = (c.visible ?? "drawn") === "drawn";
  const visible = any ? drawMask(random, samples, grid)!.visible : new Uint8Array(samples * c.cells ** 3);
  const cell = random.int(visible.length);
  visible[cell] = 1;
  if (c.visible === "pair") visible[cell ^ 1] = 1; // grids of a pair are even along x
  return looseMask({ samples, grid: [...grid], visible });
}

const sameBits = (a: Found, b: Found) => Buffer.from(a.buffer).equals(Buffer.from(b.buffer));

/** (N, 2, C): means, which may be as wrong as sums of the values are, and sums of squared deviations. */
function expectMoments(found: Found, wanted: Found, channels: number, title: string): void {
  for (let i = 0; i < wanted.length; i += 2 * channels)
    for (const [what, at] of [
      ["mean", i],
      ["squares", i + channels],
    ] as const) {
      const error = relativeError(found.subarray(at, at + channels), wanted.subarray(at, at + channels));
      if (!(error <= 1e-5))
        throw new Error(`${title}, ${what} of sample ${i / 2 / channels}: relative error ${error}`);
    }
}

/** Throws where a result is wrong or where two schedules disagree in a bit. */
export async function check(
  name: string,
  c: Case,
  dtype: Stored,
  variants: readonly Steering[],
): Promise<void> {
  const random = checks.stream("tensor-conv", name);
  const values = await drawValues(random, c, dtype);
  const mask = drawCells(random, c);
  const wanted = await run(c, values, mask, "float64");
  let first: typeof wanted | undefined;
  for (const variant of variants) {
    steer(variant);
    const found = await run(c, values, mask, dtype);
    for (const [what, w] of Object.entries(wanted)) {
      const title = `${what}, ${JSON.stringify(variant)}`;
      const f = found[what] as Float32Array;
      const stored = /weight|bias/.test(what) ? "float32" : dtype;
      if (what === "moments") {
        expectMoments(f, w, c.channels[1], title);
        if (first && !sameBits(f, first[what]!)) throw new Error(`${title}: other bits`);
        continue;
      }
      const exact = c.integer && (await roundTrip(w, stored));
      if (exact && !f.every((v, i) => v === exact[i]))
        throw new Error(`${title}: relative error, allowed is none`);
      if (!(relativeError(f, w) <= (stored === "float32" ? 5e-6 : rounding[dtype] + 1e-6)))
        throw new Error(`${title}: relative error ${relativeError(f, w)}`);
      if (first && !sameBits(f, first[what]!)) throw new Error(`${title}: other bits`);
    }
    first ??= found;
  }
}
