/** Folded convolutions of 16-bit features, whose near tiles tensor cores compute, against filling and joining in float64. */
import {
  BlockMask,
  concat,
  conv3d,
  type DeviceName,
  type DType,
  densify,
  foldedConv3d,
  maskedNorm,
  Tape,
  type Tensor,
  type Triple,
  tensor,
  tokenAffine,
} from "../../lib";
import { scope } from "../../lib/scope";
import { relativeError } from "../golden/check";
import { drawArray } from "../op-suite";
import * as checks from "../op-suite-checks";
import { type Steering, steer } from "./control";
import { formats, type HalfType, nearest } from "./half";

export interface FoldedCase {
  size: Triple;
  grid: Triple;
  samples: number;
  /** Of up (0: none), of the skip, of the output. */
  channels: readonly [number, number, number];
  visible: readonly number[];
  /** Default 3. */
  kernel?: 1;
  /** Whether the features' norm is pending. */
  pending?: boolean;
}

export const folded: Record<string, FoldedCase> = {
  // Only 9 of 27 cells see the visible one: most tiles end at once.
  "halo tiles, one visible block": {
    ...{ size: [24, 8, 24], grid: [3, 1, 3], samples: 1 },
    ...{ channels: [0, 32, 32], visible: [0] },
  },
  "halo tiles joined with an upsampled map, samples that differ": {
    ...{ size: [16, 8, 16], grid: [2, 1, 2], samples: 2 },
    ...{ channels: [32, 32, 64], visible: [1, 6, 7], pending: true },
  },
  "gathered rows, blocks of edge 4": {
    ...{ size: [8, 8, 8], grid: [2, 2, 2], samples: 1 },
    ...{ channels: [0, 40, 24], visible: [0, 3] },
  },
  "gathered rows, sums in splits": {
    ...{ size: [4, 4, 4], grid: [1, 1, 2], samples: 2 },
    ...{ channels: [64, 64, 16], visible: [0, 3] },
  },
  // A sum this short is not split: what it is added to is read where it is stored.
  "gathered rows, kernel 1": {
    ...{ size: [8, 8, 6], grid: [2, 2, 2], samples: 2 },
    ...{ channels: [0, 64, 72], visible: [0, 3, 9], kernel: 1, pending: true },
  },
  "gathered rows, kernel 1, an odd number of channels": {
    ...{ size: [4, 6, 6], grid: [2, 2, 2], samples: 1 },
    ...{ channels: [32, 64, 65], visible: [1, 6], kernel: 1 },
  },
  "gathered rows of warpgroups, sums in splits": {
    ...{ size: [4, 4, 6], grid: [1, 2, 2], samples: 2 },
    ...{ channels: [0, 64, 64], visible: [0, 3, 5] },
  },
  "without tensor cores": {
    ...{ size: [8, 8, 10], grid: [2, 2, 2], samples: 1 },
    ...{ channels: [3, 5, 7], visible: [7], pending: true },
  },
};

const isFeature = (name: string) => /features|up|upstream/.test(name);

function draw(name: string, c: FoldedCase, dtype: HalfType) {
  const [u, from, to] = c.channels;
  const { kernel: edge = 3 } = c;
  const shapes: Record<string, readonly number[]> = {
    features: [c.samples, from, ...c.size],
    token: [from],
    weight: [to, u + from, edge, edge, edge],
    bias: [to],
    ...(u && { up: [c.samples, u, ...c.size] }),
    upstream: [c.samples, to, ...c.size],
  };
  const random = checks.stream("folding", name);
  const held = (v: number) => nearest(v, formats[dtype]);
  return Object.entries(shapes).map(([input, shape]) => {
    const values = drawArray(random, shape).map(held);
    return { input, shape, values };
  });
}

/** y and all gradients; the plain path fills and joins. */
async function results(c: FoldedCase, drawn: ReturnType<typeof draw>, device: DeviceName, dtype: DType) {
  const wide = device === "reference" ? "float64" : "float32";
  const cells = c.samples * c.grid.reduce((a, b) => a * b);
  const visible = Uint8Array.from({ length: cells }, (_, i) => Number(c.visible.includes(i)));
  const mask = new BlockMask({ samples: c.samples, grid: [...c.grid], visible });
  const t: Record<string, Tensor> = {};
  for (const { input, shape, values } of drawn)
    t[input] = tensor(wide === "float64" ? Float64Array.from(values) : values, [...shape], {
      device,
      dtype: isFeature(input) ? dtype : wide,
      requiresGrad: input !== "upstream",
      mask: input === "features" ? mask : undefined,
    });
  const { features, token, weight, bias, up, upstream } = t as Record<string, Tensor> & { features: Tensor };
  const padding: Triple = c.kernel === 1 ? [0, 0, 0] : [1, 1, 1];
  const tape = new Tape();
  const y = scope(() =>
    tape.record(() => {
      if (device === "cuda") {
        const { gamma, beta } = tokenAffine(token!);
        const offset = maskedNorm(features, gamma, beta, { kind: "instance", pending: c.pending ?? false });
        return foldedConv3d({ offset, token: token! }, weight!, bias, { up });
      }
      const filled = densify(maskedNorm(features, undefined, undefined, { kind: "instance" }), token);
      return conv3d(up ? concat(up, filled) : filled, weight!, bias, { padding });
    }),
  );
  const found: Record<string, Float32Array | Float64Array> = { y: await y.data() };
  tape.backward(y, upstream);
  for (const { input } of drawn)
    if (input !== "upstream") found[input] = await (t[input] as Tensor).grad!.data();
  return found;
}

/** Roundings on the way: offset, y two or three times; gradients of features through a norm. */
const ROUNDINGS = 4;

/** Throws where a result is wrong or where two schedules disagree in a bit. */
export async function checkFolded(
  name: string,
  c: FoldedCase,
  dtype: HalfType,
  variants: readonly Steering[],
): Promise<void> {
  const drawn = draw(name, c, dtype);
  const wanted = await results(c, drawn, "reference", "float64");
  const unit = 2 ** -(formats[dtype].mantissa + 1);
  let first: string | undefined;
  for (const variant of variants) {
    steer(variant);
    const found = await results(c, drawn, "cuda", dtype);
    for (const [what, w] of Object.entries(wanted)) {
      const error = relativeError(found[what]!, w);
      if (!(error <= ROUNDINGS * unit)) throw new Error(`${what}: relative error ${error}`);
    }
    const bits = Object.values(found).map((f) => Buffer.from(f.buffer).toString("base64"));
    first ??= bits.join();
    if (first !== bits.join()) throw new Error("other bits");
  }
}
