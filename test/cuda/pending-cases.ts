/**
 * Convolutions whose source, or whose gradient, has a normalisation pending: the same bits as from the map written out,
 * which masked_norm and its tests answer for, and near to the float64 reference.
 */
import { type BlockMask, type DType, type Tensor, tensor } from "../../lib";
import { launch } from "../../lib/launch";
import type { Random } from "../../lib/random";
import { relativeError } from "../golden/check";
import { drawArray } from "../op-suite";
import * as checks from "../op-suite-checks";
import { type Steering, steer } from "./control";
import type { Case } from "./tensor-cases";
import { drawCells, outputSize } from "./tensor-check";

type Values = Record<"x" | "weight" | "bias" | "gy" | "affine" | "gyAffine", Float32Array>;
type Found = Record<string, Float32Array | Float64Array>;

const slope = 0.1;
const one = [1, 1, 1] as const;
const product = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** Shapes of a case, whose kernels are odd and padded to keep the size, or transposed. */
function shapesOf(c: Case, shared: boolean) {
  const [from, to] = c.channels;
  const samples = c.samples ?? 1;
  const size = outputSize(c);
  const groups = shared ? 1 : samples;
  return {
    x: [samples, from, ...c.size],
    weight: c.transposed ? [from, to, ...c.kernel] : [to, from, ...c.kernel],
    bias: [to],
    gy: [samples, to, ...size],
    affine: [groups, 3, from],
    gyAffine: [groups, 3, to],
  };
}
type Shapes = ReturnType<typeof shapesOf>;

const tensors = ["x", "gy"];
const place = (dtype: DType) => (dtype === "float64" ? "reference" : "cuda");

function put(name: keyof Values, values: Values, shapes: Shapes, dtype: DType, mask?: BlockMask): Tensor {
  const wide = dtype === "float64" ? "float64" : "float32";
  const array = wide === "float64" ? Float64Array : Float32Array;
  const map = tensors.includes(name);
  return tensor(array.from(values[name]), shapes[name], {
    device: place(dtype),
    dtype: map ? dtype : wide,
    mask: map ? mask : undefined,
  });
}

/** Forward and the weight's gradients, with x or gy pending, or else written out first. */
async function run(
  c: Case,
  values: Values,
  shapes: Shapes,
  mask: BlockMask | undefined,
  dtype: DType,
  form: "pending" | "written",
): Promise<Found> {
  const [x, weight, bias, gy, affine, gyAffine] = (
    ["x", "weight", "bias", "gy", "affine", "gyAffine"] as const
  ).map((name) => put(name, values, shapes, dtype, mask)) as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
  const settle = (t: Tensor, by: Tensor): readonly [Tensor, Tensor | undefined] =>
    form === "pending"
      ? [t, by]
      : [launch("residual_forward", [t, undefined, by], { xSlope: slope })[0] as Tensor, undefined];
  const [a, on] = settle(x, affine);
  if (c.transposed)
    return data({
      y: launch("conv_transpose3d_forward", [a, weight, bias, on], { slope })[0],
      gw: launch("conv_transpose3d_grad_weight", [a, gy, on], { slope })[0],
    });
  const padding = c.kernel.map((k) => (k - 1) / 2) as unknown as typeof one;
  const geometry = { stride: c.stride ?? one, padding, slope };
  const back = { ...geometry, kernel: c.kernel };
  const [g, gOn] = settle(gy, gyAffine);
  return data({
    y: launch("conv3d_forward", [a, weight, bias, on], geometry)[0],
    gw: launch("conv3d_grad_weight", [a, gy, on], back)[0],
    "gw, gy pending": launch("conv3d_grad_weight", [x, g, undefined, gOn], back)[0],
  });
}

async function data(outputs: Record<string, Tensor | undefined>): Promise<Found> {
  const found: Found = {};
  for (const [name, t] of Object.entries(outputs)) found[name] = (await t!.data()) as Float32Array;
  return found;
}

async function draw(random: Random, shapes: Shapes, dtype: DType): Promise<Values> {
  const values = {} as Values;
  for (const [name, shape] of Object.entries(shapes)) {
    const t = tensor(drawArray(random, shape, "normal"), [product(shape)], { device: "cuda", dtype });
    values[name as keyof Values] = (await t.data()) as Float32Array; // what the type can hold
  }
  return values;
}

/** @param name of the case, and of its random numbers */
export async function checkPending(
  name: string,
  c: Case,
  dtype: "bfloat16" | "float16" | "float32",
  variants: readonly Steering[],
): Promise<void> {
  const random = checks.stream("pending", `${name} ${dtype}`);
  const shapes = shapesOf(c, random.int(4) === 0);
  const values = await draw(random, shapes, dtype);
  const mask = drawCells(random, c);
  const exact = await run(c, values, shapes, mask, "float64", "pending");
  const wanted = await run(c, values, shapes, mask, dtype, "written");
  // The settled map and y are rounded to the type; of a gradient's terms, one factor is.
  const rounding = { bfloat16: 2 ** -8, float16: 2 ** -11, float32: 2 ** -18 }[dtype];
  for (const [what, w] of Object.entries(wanted))
    if (!(relativeError(w, exact[what] as Float64Array) <= 2 * rounding))
      throw new Error(`${what}, written: relative error ${relativeError(w, exact[what] as Float64Array)}`);
  for (const variant of variants) {
    steer(variant);
    const found = await run(c, values, shapes, mask, dtype, "pending");
    for (const [what, w] of Object.entries(wanted))
      if (!Buffer.from(found[what]!.buffer).equals(Buffer.from(w.buffer)))
        throw new Error(
          `${what}, ${JSON.stringify(variant)}: other bits than of the written map, relative error ` +
            relativeError(found[what] as Float32Array, exact[what] as Float64Array),
        );
  }
}
