/**
 * Convolutions of two joined maps, and the two gradients of such maps: near to the float64 reference of their
 * concatenation, and the bits that CUDA gives of it wherever the same kernel computes both.
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

export interface JoinedCase extends Case {
  /** Input channels of the first map. */
  split: number;
}

type Triple = readonly [number, number, number];
type Values = Record<"a" | "b" | "weight" | "bias" | "gy", Float32Array>;
type Found = Record<string, Float32Array | Float64Array>;
type Form = "joined" | "concatenated";

const cube = (e: number): Triple => [e, e, e];
const product = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

function shapesOf(c: JoinedCase) {
  const {
    channels: [from, to],
    split,
    size,
    kernel,
    samples = 1,
  } = c;
  return {
    a: [samples, split, ...size],
    b: [samples, from - split, ...size],
    weight: [to, from, ...kernel],
    bias: [to],
    gy: [samples, to, ...outputSize(c)],
  };
}

const maps = ["a", "b", "gy"];

async function run(
  c: JoinedCase,
  values: Values,
  mask: BlockMask | undefined,
  dtype: DType,
  form: Form,
): Promise<Found> {
  const wide = dtype === "float64" ? "float64" : "float32";
  const array = wide === "float64" ? Float64Array : Float32Array;
  const put = (name: keyof Values) =>
    tensor(array.from(values[name]), shapesOf(c)[name], {
      device: wide === "float64" ? "reference" : "cuda",
      dtype: maps.includes(name) ? dtype : wide,
      mask: maps.includes(name) ? mask : undefined,
    });
  const [a, b, weight, bias, gy] = [put("a"), put("b"), put("weight"), put("bias"), put("gy")];
  const padding = c.kernel.map((k) => (k - 1) / 2) as unknown as Triple;
  const how = { stride: c.stride ?? cube(1), padding };
  const forward = { ...how, moments: true };
  const input = { ...how, size: c.size, mask };
  const back = { ...how, kernel: c.kernel, bias: true };
  const none = undefined;
  if (form === "joined")
    return found(
      launch("conv3d_forward", [a, weight, bias, none, b], forward),
      launch("conv3d_grad_input", [gy, weight], { ...input, split: c.split }),
      launch("conv3d_grad_weight", [a, gy, none, none, b], back),
    );
  const x = launch("concat_forward", [a, b], {})[0] as Tensor;
  const gx = launch("conv3d_grad_input", [gy, weight], input)[0] as Tensor;
  return found(
    launch("conv3d_forward", [x, weight, bias], forward),
    launch("concat_backward", [gx], { channels: [c.split, c.channels[0] - c.split] }),
    launch("conv3d_grad_weight", [x, gy], back),
  );
}

async function found(forward: Tensor[], input: Tensor[], weight: Tensor[]): Promise<Found> {
  const names = ["y", "moments", "gradient of a", "gradient of b", "gradient of weight", "gradient of bias"];
  const all: Found = {};
  for (const [i, t] of [...forward, ...input, ...weight].entries())
    all[names[i] as string] = (await t.data()) as Float32Array;
  return all;
}

async function draw(random: Random, shapes: ReturnType<typeof shapesOf>, dtype: DType): Promise<Values> {
  const values = {} as Values;
  for (const [name, shape] of Object.entries(shapes)) {
    const t = tensor(drawArray(random, shape, "normal"), [product(shape)], { device: "cuda", dtype });
    values[name as keyof Values] = (await t.data()) as Float32Array; // what the type can hold
  }
  return values;
}

/** Whether the same kernel computes the joined maps and their concatenation; see native/ops/conv3d/cuda_engine.h. */
const sameKernel = (c: JoinedCase, dtype: DType) => dtype === "float32" || c.split % 8 === 0;

const bound = (what: string, dtype: DType) => {
  if (what === "moments" || what === "gradient of weight" || what === "gradient of bias") return 1e-5;
  return { bfloat16: 2 ** -8, float16: 2 ** -11, float32: 5e-6, float64: 0 }[dtype] + 1e-6;
};

/** @param name of the case, and of its random numbers */
export async function checkJoined(
  name: string,
  c: JoinedCase,
  dtype: "bfloat16" | "float16" | "float32",
  variants: readonly Steering[],
): Promise<void> {
  const random = checks.stream("joined", `${name} ${dtype}`);
  const values = await draw(random, shapesOf(c), dtype);
  const mask = drawCells(random, c);
  const exact = await run(c, values, mask, "float64", "concatenated");
  let wanted: Found | undefined;
  for (const variant of variants) {
    steer(variant);
    const joined = await run(c, values, mask, dtype, "joined");
    // Only now: what a kernel does not write must not hold the right values of earlier.
    wanted ??= sameKernel(c, dtype) ? await run(c, values, mask, dtype, "concatenated") : joined;
    for (const [what, w] of Object.entries(exact)) {
      const title = `${what}, ${JSON.stringify(variant)}`;
      const error = relativeError(joined[what] as Float32Array, w);
      if (!(error <= bound(what, dtype))) throw new Error(`${title}: relative error ${error}`);
      if (!Buffer.from(joined[what]!.buffer).equals(Buffer.from(wanted[what]!.buffer)))
        throw new Error(`${title}: other bits, relative error ${error}`);
    }
  }
}

/** Tensor cores read and write both maps: halo tiles, then gathered rows. */
export const joined: Record<string, JoinedCase> = {
  "halo, a decoder's halves, blocks of edge 8": {
    channels: [64, 32],
    split: 32,
    size: cube(16),
    kernel: cube(3),
    cells: 2,
    visible: "one",
    samples: 2,
  },
  "halo, a slice of both maps, a ragged volume": {
    channels: [64, 32],
    split: 40,
    size: [3, 8, 11],
    kernel: cube(3),
    samples: 2,
  },
  "halo, 128 channels, a narrow first map": {
    channels: [128, 64],
    split: 8,
    size: [4, 8, 8],
    kernel: cube(3),
  },
  "gather, blocks of edge 4": {
    channels: [40, 24],
    split: 24,
    size: cube(8),
    kernel: cube(3),
    cells: 2,
    samples: 2,
  },
  "gather, stride 2 of an odd volume": {
    channels: [32, 72],
    split: 8,
    size: [5, 7, 9],
    kernel: cube(3),
    stride: [2, 2, 2],
    samples: 2,
  },
  "gather, sums in splits, blocks of edge 1": {
    channels: [128, 64],
    split: 64,
    size: cube(4),
    kernel: cube(3),
    cells: 4,
    samples: 2,
  },
  "gather, kernel 1": { channels: [48, 8], split: 40, size: [3, 5, 6], kernel: cube(1) },
};

/** A first map that ends within a run of 8 channels, or an odd number of them: where it must, another kernel computes. */
export const odd: Record<string, JoinedCase> = {
  "13 of 24 channels, written by tensor cores": {
    channels: [24, 16],
    split: 13,
    size: [4, 5, 6],
    kernel: cube(1), // so that sums are not split
    samples: 2,
  },
  "27 of 64 channels, sums in splits": {
    channels: [64, 64],
    split: 27,
    size: cube(4),
    kernel: cube(3),
    cells: 4,
    samples: 2,
  },
  "6 of 32 channels on halo tiles": { channels: [32, 32], split: 6, size: [4, 8, 8], kernel: cube(3) },
  "4 of 9 channels": { channels: [9, 7], split: 4, size: cube(6), kernel: cube(3), cells: 3, samples: 2 },
  "20 of 28 channels, stride 2": {
    channels: [28, 12],
    split: 20,
    size: cube(8),
    kernel: cube(3),
    stride: [2, 2, 2],
    cells: 2,
  },
  "1 of 2 channels": { channels: [2, 5], split: 1, size: [5, 6, 7], kernel: [1, 3, 5], samples: 2 },
};
