/** Ops at the networks' real channel counts, for the comparison with PyTorch: what goes in, and our call. */
import {
  avgPool3d,
  type BlockMask,
  conv3d,
  convTranspose3d,
  densify,
  diceCrossEntropy,
  leakyRelu,
  maskedMse,
  maskedNorm,
  type Tensor,
  type Triple,
} from "../../lib";
import { type Random, rng } from "../../lib/random";

export interface CaseInput {
  shape: readonly number[];
  /** A feature map, stored in the precision under test; parameters and what losses see stay float32. */
  feature?: boolean;
  /** Stored under the mask. */
  masked?: boolean;
  /** Gets no gradient. */
  constant?: boolean;
  /** Whole numbers below this. */
  labels?: number;
}

export interface Case {
  op: string;
  name: string;
  inputs: Record<string, CaseInput>;
  mask?: { samples: number; grid: Triple; visible: Uint8Array };
  /** For the peer: stride, padding, slope … */
  attributes: Record<string, unknown>;
  run(inputs: Record<string, Tensor>, mask: BlockMask | undefined): Tensor;
}

const cube = (n: number): Triple => [n, n, n];

/** ‖a − b‖ / ‖b‖; NaN where sizes differ. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.NaN;
  let error = 0;
  let scale = 0;
  for (let i = 0; i < b.length; i++) {
    error += ((a[i] as number) - (b[i] as number)) ** 2;
    scale += (b[i] as number) ** 2;
  }
  return Math.sqrt(error / Math.max(scale, 1e-300));
}

/** `share` of the cells masked, but never all nor none; "one": a single visible one. */
function drawCells(random: Random, samples: number, cells: number, share: number | "one"): Case["mask"] {
  const count = cells ** 3;
  const visible = new Uint8Array(samples * count);
  const shown = share === "one" ? 1 : Math.max(1, Math.round((1 - share) * count));
  for (let n = 0; n < samples; n++) {
    const order = random.shuffle(Array.from({ length: count }, (_, i) => i));
    for (const cell of order.slice(0, shown)) visible[n * count + cell] = 1;
  }
  return { samples, grid: cube(cells), visible };
}

type Share = number | "one" | "none";

interface Layer {
  channels: readonly [number, number];
  edge: number;
  kernel?: number;
  stride?: number;
  /** Channels of the first of two maps that are read as one. */
  first?: number;
}

/** "Same" convolutions; `edge` is the input's, of 4 cells. */
function convolution(
  random: Random,
  { channels: [c, k], edge, kernel = 3, stride = 1, first = c }: Layer,
  share: Share,
): Case {
  const mask = share === "none" ? undefined : drawCells(random, 2, Math.min(4, edge / stride), share);
  const padding = cube((kernel - 1) / 2);
  const map = (channels: number): CaseInput => ({
    ...{ shape: [2, channels, ...cube(edge)], feature: true },
    ...{ masked: share !== "none", constant: c === 1 },
  });
  const two = first < c;
  return {
    op: "conv3d",
    name: `conv3d ${two ? `${first} + ${c - first}` : c} to ${k}, ${edge}³, kernel ${kernel}, stride ${stride}, ${share === "none" ? "dense" : `masked ${share}`}`,
    inputs: {
      x: map(first),
      ...(two && { x2: map(c - first) }),
      weight: { shape: [k, c, ...cube(kernel)] },
      bias: { shape: [k] },
    },
    ...(mask && { mask }),
    attributes: { stride: cube(stride), padding },
    run: ({ x, x2, weight, bias }) =>
      conv3d(x2 ? [x!, x2] : x!, weight!, bias, { stride: cube(stride), padding, winograd: "off" }),
  };
}

function transposed(random: Random, c: number, k: number, edge: number): Case {
  void random;
  return {
    op: "conv_transpose3d",
    name: `conv_transpose3d ${c} to ${k}, ${edge}³`,
    inputs: {
      x: { shape: [2, c, ...cube(edge)], feature: true },
      weight: { shape: [c, k, 2, 2, 2] },
      bias: { shape: [k] },
    },
    attributes: { stride: cube(2) },
    run: ({ x, weight, bias }) => convTranspose3d(x!, weight!, bias),
  };
}

function norm(random: Random, channels: number, edge: number, share: Share): Case {
  const mask = share === "none" ? undefined : drawCells(random, 2, 4, share);
  return {
    op: "masked_norm",
    name: `masked_norm ${channels}, ${edge}³, ${share === "none" ? "dense" : `masked ${share}`}`,
    inputs: {
      x: { shape: [2, channels, ...cube(edge)], feature: true, masked: share !== "none" },
      gamma: { shape: [channels] },
      beta: { shape: [channels] },
    },
    ...(mask && { mask }),
    attributes: { eps: 1e-5, slope: 0.01 },
    run: ({ x, gamma, beta }) => maskedNorm(x!, gamma, beta, { kind: "instance", eps: 1e-5, slope: 0.01 }),
  };
}

function others(random: Random): Case[] {
  const volume = { shape: [2, 32, ...cube(16)], feature: true };
  const cells = drawCells(random, 2, 4, 0.75)!;
  const one = (op: string, more: Partial<Case> & Pick<Case, "run">): Case => ({
    op,
    name: op,
    inputs: { x: volume },
    attributes: {},
    ...more,
  });
  return [
    one("leaky_relu", { attributes: { slope: 0.01 }, run: ({ x }) => leakyRelu(x!, 0.01) }),
    one("avg_pool3d", {
      inputs: { x: { ...volume, masked: true } },
      mask: cells,
      run: ({ x }) => avgPool3d(x!, cube(2)),
    }),
    one("densify", {
      inputs: { x: { ...volume, masked: true }, token: { shape: [32] } },
      mask: cells,
      run: ({ x, token }) => densify(x!, token),
    }),
    one("masked_mse", {
      inputs: {
        x: { shape: [2, 1, ...cube(16)] },
        target: { shape: [2, 1, ...cube(16)], constant: true },
      },
      mask: cells,
      run: ({ x, target }, mask) => maskedMse(x!, target!, mask),
    }),
    one("dice_cross_entropy", {
      inputs: {
        x: { shape: [2, 4, ...cube(16)] },
        labels: { shape: [2, 1, ...cube(16)], constant: true, labels: 4 },
      },
      run: ({ x, labels }) => diceCrossEntropy(x!, labels!),
    }),
  ];
}

/** A fresh draw of all cases; `small` ones for a test of the check itself. */
export function drawCases(seed: number, small: boolean): Case[] {
  const random = rng(seed, 0, "bench", 7);
  if (small)
    return [
      convolution(random, { channels: [3, 4], edge: 8 }, 0.75),
      convolution(random, { channels: [32, 32], edge: 8 }, "none"),
      convolution(random, { channels: [32, 64], edge: 8, stride: 2 }, 0.75),
      convolution(random, { channels: [24, 8], edge: 8, first: 8 }, "none"),
      transposed(random, 3, 2, 4),
      norm(random, 3, 8, 0.6),
      ...others(random).slice(1),
    ];
  const shares: Share[] = ["none", 0.6, 0.75, 0.9, "one"];
  const stages = [
    [32, 32],
    [64, 32],
    [128, 16],
    [256, 16],
    [320, 8],
    [320, 4],
  ] as const;
  return [
    ...stages.map(([c, edge]) => convolution(random, { channels: [c, c], edge }, 0.75)),
    ...shares.map((share) => convolution(random, { channels: [32, 32], edge: 32 }, share)),
    ...shares.map((share) => convolution(random, { channels: [64, 64], edge: 16 }, share)),
    convolution(random, { channels: [1, 32], edge: 32 }, 0.75),
    convolution(random, { channels: [32, 64], edge: 32, stride: 2 }, 0.75),
    convolution(random, { channels: [256, 320], edge: 16, stride: 2 }, 0.75),
    convolution(random, { channels: [64, 128], edge: 16, kernel: 1 }, 0.6),
    convolution(random, { channels: [64, 32], edge: 32 }, "none"),
    convolution(random, { channels: [64, 32], edge: 32, first: 32 }, "none"),
    convolution(random, { channels: [256, 128], edge: 16, first: 128 }, "none"),
    convolution(random, { channels: [320, 320], edge: 8, first: 40 }, 0.75),
    convolution(random, { channels: [30, 32], edge: 16, first: 13 }, 0.75),
    transposed(random, 64, 32, 16),
    transposed(random, 320, 256, 8),
    ...stages.map(([c, edge]) => norm(random, c, edge, edge > 4 ? 0.75 : "none")),
    ...others(random),
  ];
}
