/** The distinct convolutions of ResEnc-L at the paper's patch, ours dense and masked, for time and profiler. */
import {
  applyMask,
  BlockMask,
  cast,
  conv3d,
  gaussianNoise,
  scope,
  type Tensor,
  type Triple,
  tensor,
  zeros,
} from "../../lib";
import { launch } from "../../lib/launch";
import { sampleMask } from "../../lib/masking";
import { rng } from "../../lib/random";
import type { Pass } from "./part";
import { dtypeOf, type Precision } from "./precisions";

export interface Layer {
  channels: readonly [number, number];
  /** Edge of the output; samples. */
  edge: number;
  samples: number;
  kernel: number;
  stride: number;
  /** Whether the encoder has it, so that it is computed under a mask. */
  sparse: boolean;
  transposed?: boolean;
  /** Whether its input is two joined maps, as a decoder stage's: the upsampled one and the skip. */
  joined?: boolean;
}

const cube = (n: number): Triple => [n, n, n];
const layer = (c: number, k: number, edge: number, samples: number, more: Partial<Layer> = {}): Layer => ({
  ...{ channels: [c, k], edge, samples, kernel: 3, stride: 1, sparse: true },
  ...more,
});

/** Those that take most of a step first. */
export const paperLayers: readonly Layer[] = [
  layer(32, 32, 160, 1),
  layer(64, 64, 80, 2),
  layer(128, 128, 40, 2),
  layer(64, 32, 160, 1, { sparse: false, joined: true }),
  layer(256, 256, 20, 6),
  layer(128, 64, 80, 2, { sparse: false, joined: true }),
  layer(320, 320, 10, 6),
  layer(32, 64, 80, 2, { stride: 2 }),
  layer(64, 32, 160, 1, { transposed: true, sparse: false, kernel: 2, stride: 2 }),
  layer(1, 32, 160, 1),
  layer(32, 64, 80, 2, { kernel: 1 }),
  layer(320, 320, 5, 6),
];

/** For a test of the check itself. */
export const smallLayers: readonly Layer[] = [
  layer(4, 4, 5, 1),
  layer(2, 4, 5, 1, { stride: 2 }),
  layer(32, 64, 5, 1, { stride: 2 }),
  layer(32, 16, 5, 1, { sparse: false, joined: true }),
];

export const nameOf = ({ channels, edge, samples, kernel, stride, transposed, joined }: Layer) =>
  `${channels.join(" to ")}, ${edge}³ × ${samples}${transposed ? ", transposed" : kernel === 3 ? "" : `, kernel ${kernel}`}` +
  `${stride > 1 && !transposed ? `, stride ${stride}` : ""}${joined ? ", of two maps" : ""}`;

/** Multiply-adds of every output voxel, twice. */
export function flopsOf({ channels: [c, k], edge, samples, kernel, stride, transposed }: Layer): number {
  const places = transposed ? (edge / stride) ** 3 : edge ** 3;
  return 2 * samples * places * c * k * kernel ** 3;
}

/** Normals take longer to draw than kernels to run. */
const drawn = new Map<number, Float32Array>();

function parameter(shape: readonly number[]): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  const values =
    drawn.get(size) ??
    rng(3, 0, "bench")
      .fillNormal(new Float32Array(size))
      .map((v) => v / 5);
  drawn.set(size, values);
  return tensor(values, shape, { device: "cuda" });
}

/** Random values, made on the device: noise through a convolution, since copies of gigabytes would take the time. */
function feature(shape: readonly number[], precision: Precision, mask: BlockMask | undefined): Tensor {
  const [samples, channels, ...size] = shape as [number, number, ...number[]];
  return scope(() => {
    const noise = zeros([samples, 1, ...size], { device: "cuda" });
    gaussianNoise(noise, { sigma: 1, seed: 3 });
    const dense =
      channels === 1
        ? noise
        : conv3d(noise, parameter([channels, 1, 3, 3, 3]), undefined, { padding: [1, 1, 1] });
    const stored = precision === "fp32" ? dense : cast(dense, dtypeOf(precision));
    return mask ? applyMask(stored, mask) : stored;
  });
}

export interface Operands {
  runs: Record<Pass, () => Tensor[]>;
  /** Share of the voxels that are computed. */
  share: number;
  free(): void;
}

/** Operands on the GPU; `masked` is the share of masked blocks, 5 × 5 × 5 of them where the edge allows. */
export function operands(l: Layer, precision: Precision, masked: number): Operands {
  const {
    channels: [c, k],
    edge,
    samples,
    kernel,
    stride,
    transposed = false,
    joined = false,
  } = l;
  const input = transposed ? edge / stride : edge * stride;
  const block = input / 5;
  const mask = masked
    ? new BlockMask(
        sampleMask({ patch: cube(input), block, ratio: masked, per: "batch" }, { seed: 0, step: 0, samples }),
      )
    : undefined;
  const [x, x2] = Array.from({ length: joined ? 2 : 1 }, () =>
    feature([samples, joined ? c / 2 : c, ...cube(input)], precision, mask),
  );
  const gy = feature([samples, k, ...cube(edge)], precision, mask);
  const weight = parameter(transposed ? [c, k, ...cube(kernel)] : [k, c, ...cube(kernel)]);
  const bias = zeros([k], { device: "cuda" });
  const how = { stride: cube(stride), padding: cube((kernel - 1) / 2) };
  const split = joined ? c / 2 : 0;
  const runs: Operands["runs"] = transposed
    ? {
        forward: () => launch("conv_transpose3d_forward", [x, weight, bias], {}),
        grad_input: () => launch("conv_transpose3d_grad_input", [gy, weight], {}),
        grad_weight: () => launch("conv_transpose3d_grad_weight", [x, gy], { bias: true }),
      }
    : {
        forward: () => launch("conv3d_forward", [x, weight, bias, undefined, x2], how),
        grad_input: () =>
          launch("conv3d_grad_input", [gy, weight], { ...how, size: cube(input), mask, split }),
        grad_weight: () =>
          launch("conv3d_grad_weight", [x, gy, undefined, undefined, x2], {
            ...how,
            kernel: cube(kernel),
            bias: true,
          }),
      };
  const share = mask?.visibleShare ?? 1;
  return {
    runs,
    share,
    free: () => {
      for (const t of [x, x2, gy, weight, bias, mask]) t?.dispose();
    },
  };
}
