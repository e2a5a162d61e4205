/** Convolutions of 16-bit feature maps, and their check against the float64 reference on values that 16 bits represent. */
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

export type Half = "bfloat16" | "float16";
export type Stored = Half | "float32";

export interface Case {
  /** Input channels, output channels. */
  channels: readonly [number, number];
  size: Triple;
  kernel: Triple;
  stride?: Triple;
  /** Cells along each axis of a mask; none: dense. */
  cells?: number;
  visible?: "one" | "drawn";
  samples?: number;
  transposed?: boolean;
  integer?: boolean;
  bias?: boolean;
}

const cube = (e: number): Triple => [e, e, e];
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
function outputSize({ size, kernel, stride = cube(1), transposed }: Case): number[] {
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

function drawCells(random: Random, c: Case): BlockMask | undefined {
  if (!c.cells) return undefined;
  const samples = c.samples ?? 1;
  const grid = cube(c.cells);
  const visible =
    c.visible === "one" ? new Uint8Array(samples * c.cells ** 3) : drawMask(random, samples, grid)!.visible;
  visible[random.int(visible.length)] = 1;
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

export const cases: Record<string, Case> = {
  "gather, blocks of edge 4": {
    channels: [16, 40],
    size: cube(8),
    kernel: cube(3),
    cells: 2,
    samples: 2,
    bias: true,
  },
  "gather, blocks of edge 2": { channels: [64, 72], size: cube(4), kernel: cube(3), cells: 2, samples: 2 },
  "gather, blocks of edge 1": {
    channels: [64, 128],
    size: cube(4),
    kernel: cube(3),
    cells: 4,
    samples: 2,
    bias: true,
  },
  "gather, one visible block": {
    channels: [24, 8],
    size: cube(8),
    kernel: cube(3),
    cells: 2,
    visible: "one",
  },
  "gather, stride 2": { channels: [32, 64], size: cube(8), kernel: cube(3), stride: cube(2), cells: 2 },
  "gather, stride 2, odd volume": {
    channels: [8, 24],
    size: [5, 7, 9],
    kernel: cube(3),
    stride: cube(2),
    bias: true,
  },
  "gather, kernel 1": { channels: [40, 320], size: cube(4), kernel: cube(1), cells: 2, integer: true },
  "gather, kernel (1, 3, 5)": {
    channels: [16, 16],
    size: cube(12),
    kernel: [1, 3, 5],
    stride: [1, 2, 3],
    cells: 2,
  },
  "gather, exact": {
    channels: [32, 48],
    size: cube(8),
    kernel: cube(3),
    cells: 4,
    integer: true,
    bias: true,
  },
  "gather, weights in splits": { channels: [8, 16], size: [10, 11, 12], kernel: cube(1) },
  transposed: { channels: [64, 32], size: cube(4), kernel: cube(2), cells: 2, transposed: true, bias: true },
  "transposed, exact": {
    channels: [24, 16],
    size: [3, 5, 4],
    kernel: cube(2),
    transposed: true,
    integer: true,
  },
  "few channels": { channels: [3, 5], size: cube(8), kernel: cube(3), cells: 2, bias: true },
  "a stem": { channels: [1, 32], size: cube(8), kernel: cube(3), cells: 2 },
  "a head": { channels: [32, 1], size: cube(6), kernel: cube(1), bias: true },
};
/** Those that the gather GEMM of warpgroups computes, where it is asked for: every width of its tiles, and of its steps. */
export const group: Record<string, Case> = {
  "group, 64 columns, blocks of edge 4": {
    channels: [64, 64],
    size: cube(8),
    kernel: cube(3),
    cells: 2,
    bias: true,
  },
  "group, 64 columns, stride 2": {
    channels: [32, 64],
    size: cube(8),
    kernel: cube(3),
    stride: cube(2),
    cells: 2,
    samples: 2,
    bias: true,
  },
  "group, 128 columns, blocks of edge 2": {
    channels: [96, 128],
    size: cube(4),
    kernel: cube(3),
    cells: 2,
    samples: 2,
  },
  "group, 128 columns, stride 2 of an odd volume": {
    channels: [64, 128],
    size: [3, 5, 7],
    kernel: cube(3),
    stride: cube(2),
  },
  "group, 160 columns, blocks of edge 1": {
    channels: [160, 320],
    size: cube(3),
    kernel: cube(3),
    cells: 3,
    bias: true,
  },
  "group, 256 columns, kernel 1, more steps than buffers": {
    channels: [448, 256],
    size: [4, 5, 7],
    kernel: cube(1),
    samples: 2,
    bias: true,
  },
  "group, columns beyond the channels": {
    channels: [64, 72],
    size: cube(4),
    kernel: cube(3),
    cells: 2,
    integer: true,
    bias: true,
  },
  "group, transposed": {
    channels: [128, 64],
    size: cube(4),
    kernel: cube(2),
    cells: 2,
    transposed: true,
    bias: true,
  },
  "group, one visible block": {
    channels: [64, 64],
    size: cube(8),
    kernel: cube(3),
    cells: 4,
    visible: "one",
  },
};

/** Those that kernels on halo tiles compute. */
export const halo: Record<string, Case> = {
  "halo, blocks of edge 8": { channels: [32, 32], size: cube(16), kernel: cube(3), cells: 2, bias: true },
  "halo, blocks of edge 10, two samples": {
    channels: [32, 64],
    size: cube(20),
    kernel: cube(3),
    cells: 2,
    samples: 2,
    visible: "one",
  },
  "halo, several slices": { channels: [96, 64], size: [4, 8, 8], kernel: cube(3) },
  "halo, a ragged volume": { channels: [64, 32], size: [5, 12, 15], kernel: cube(3), samples: 2, bias: true },
  "halo, tiles that stick out": {
    channels: [32, 64],
    size: [5, 8, 15],
    kernel: cube(3),
    samples: 2,
    bias: true,
  },
  "halo, exact": { channels: [64, 64], size: [4, 8, 8], kernel: cube(3), integer: true, bias: true },
  "halo, 128 channels": { channels: [32, 128], size: [4, 8, 8], kernel: cube(3) },
};

/** The networks' larger blocks and channel counts, at as few voxels as show them. */
export const wide: Record<string, Case> = {
  "halo, blocks of edge 16": {
    channels: [32, 32],
    size: cube(32),
    kernel: cube(3),
    cells: 2,
    visible: "one",
  },
  "halo, blocks 32 wide": {
    channels: [32, 32],
    size: [16, 16, 64],
    kernel: cube(3),
    cells: 2,
    visible: "one",
  },
  "halo, blocks 32 deep": {
    channels: [32, 32],
    size: [64, 16, 16],
    kernel: cube(3),
    cells: 2,
    visible: "one",
  },
  "halo, 128 to 256 channels": { channels: [128, 256], size: [4, 8, 8], kernel: cube(3) },
  "gather, stride 2, blocks of edge 32": {
    channels: [32, 64],
    size: [64, 16, 16],
    kernel: cube(3),
    stride: cube(2),
    cells: 2,
    visible: "one",
  },
  "gather, 320 channels": { channels: [320, 320], size: cube(2), kernel: cube(3), cells: 2, bias: true },
  "gather, 256 to 320 channels, stride 2": {
    channels: [256, 320],
    size: cube(2),
    kernel: cube(3),
    stride: cube(2),
  },
  "transposed, 320 to 256 channels": {
    channels: [320, 256],
    size: cube(2),
    kernel: cube(2),
    transposed: true,
  },
};
