import { add, conv3d, type DeviceName, maskedNorm, type Tensor, zeros } from "../../../lib";
import { launch } from "../../../lib/launch";
import type { MaskedNormOptions } from "../../../lib/ops/masked-norm";
import type { Random } from "../../../lib/random";
import { drawMask, type OpRecord, type Sample, triple } from "../../op-suite";

interface Variant extends MaskedNormOptions {
  affine?: boolean;
  masked?: boolean;
  statistics?: "running";
  /** Convolutions that read y, and leave sums of its gradient where it is pending. */
  readers?: number;
}

const same = { padding: [1, 1, 1] } as const;

function sample(random: Random, channels: number, variant: Variant): Sample {
  const { affine = true, masked = true, statistics, readers = 0, ...options } = variant;
  const samples = 1 + random.int(3);
  // Few voxels where channels are many, or no draw of all values keeps away from the kink.
  const most = options.slope !== undefined && channels > 8 ? 2 : 3;
  const grid = triple(random, 1, most);
  // At least four voxels a block: with one or two the gradient is what eps leaves of a difference of equal numbers.
  const shape = [samples, channels, ...grid.map((g, axis) => g * (axis === 2 ? 4 : 1 + random.int(most)))];
  const vector = [channels];
  return {
    name: `${shape}, ${JSON.stringify(variant)}`,
    inputs: {
      x: { shape, masked },
      ...(affine && { gamma: { shape: vector }, beta: { shape: vector } }),
      ...(readers && { weight: { shape: [3, channels, 3, 3, 3] } }),
      ...(statistics && {
        mean: { shape: vector, constant: true },
        variance: { shape: vector, constant: true, draw: "positive" as const },
      }),
    },
    ...(masked && { mask: drawMask(random, samples, grid) as NonNullable<Sample["mask"]> }),
    run: ({ x, gamma, beta, mean, variance, weight }) => {
      const running = mean && variance && { mean, variance, momentum: 0.2 };
      const y = maskedNorm(x!, gamma, beta, { ...options, eps: 1e-2, ...(running && { running }) });
      if (!weight) return running ? [y, mean, variance] : y;
      const [first, ...more] = Array.from({ length: readers }, () => conv3d(y, weight, undefined, same));
      return more.reduce((sum, t) => add(sum, t), first as Tensor);
    },
    ...(options.slope !== undefined && { kink: options.slope }),
  };
}

const x = (device: DeviceName) => zeros([2, 3, 2, 2, 2], { device });
const v = (device: DeviceName, n = 3) => zeros([n], { device });
const refused = (
  name: string,
  code: "TYPE" | "RANGE" | "SHAPE",
  call: (device: DeviceName) => Tensor | Tensor[],
) => ({
  name,
  code,
  call,
});

export const record: OpRecord = {
  op: "masked_norm",
  kernels: ["masked_norm_forward", "masked_norm_backward"],
  gradient: "smooth",
  tolerance: 1e-5,
  samples: (random) =>
    (["instance", "batch"] as const).flatMap((kind) => [
      // Several channels where there is an affine map: the one sum that is gamma's or beta's gradient might cancel.
      sample(random, 4 + random.int(5), { kind, masked: false }),
      sample(random, 1 + random.int(40), { kind, affine: false }),
      sample(random, 4 + random.int(4), { kind, slope: 0.1 }),
      sample(random, 65 + random.int(9), { kind, masked: false }),
      sample(random, 4 + random.int(16), { kind, slope: 0.1, pending: true }),
      sample(random, 3, { kind, affine: false, pending: true }),
      sample(random, 8 + random.int(9), { kind, pending: true, readers: 1 }),
      sample(random, 8, { kind, pending: true, masked: false, readers: 2 }),
      ...(kind === "batch"
        ? [
            sample(random, 5, { kind, statistics: "running" }),
            sample(random, 5, { kind, statistics: "running", training: false, slope: 0.2 }),
            sample(random, 8, { kind, statistics: "running", training: false, pending: true, readers: 1 }),
          ]
        : []),
    ]),
  large: (random) => ({
    ...sample(random, 24, { kind: random.int(2) ? "instance" : "batch", slope: 0.01 }),
    name: "large",
    inputs: {
      x: { shape: [3, 24, 32, 32, 32], masked: true },
      gamma: { shape: [24] },
      beta: { shape: [24] },
    },
    mask: drawMask(random, 3, [8, 8, 8]) as NonNullable<Sample["mask"]>,
  }),
  errors: [
    refused("rank 2", "SHAPE", (d) =>
      maskedNorm(zeros([2, 3], { device: d }), undefined, undefined, { kind: "batch" }),
    ),
    refused("gamma without beta", "TYPE", (d) => maskedNorm(x(d), v(d), undefined, { kind: "instance" })),
    refused("gamma of other channels", "SHAPE", (d) => maskedNorm(x(d), v(d, 2), v(d), { kind: "instance" })),
    refused("eps 0", "RANGE", (d) => maskedNorm(x(d), v(d), v(d), { kind: "instance", eps: 0 })),
    refused("slope 2", "RANGE", (d) => maskedNorm(x(d), v(d), v(d), { kind: "instance", slope: 2 })),
    refused("instance with running statistics", "TYPE", (d) =>
      maskedNorm(x(d), v(d), v(d), { kind: "instance", running: { mean: v(d), variance: v(d) } }),
    ),
    refused("evaluation without running statistics", "TYPE", (d) =>
      maskedNorm(x(d), v(d), v(d), { kind: "batch", training: false }),
    ),
    refused("instance evaluation", "RANGE", (d) =>
      maskedNorm(x(d), v(d), v(d), { kind: "instance", training: false }),
    ),
    refused("momentum 2", "RANGE", (d) =>
      maskedNorm(x(d), v(d), v(d), { kind: "batch", running: { mean: v(d), variance: v(d), momentum: 2 } }),
    ),
    refused("running statistics of other channels", "SHAPE", (d) =>
      maskedNorm(x(d), v(d), v(d), { kind: "batch", running: { mean: v(d, 1), variance: v(d) } }),
    ),
    refused("backward with statistics of another kind", "SHAPE", (d) => {
      const mean = zeros([2, 3], { device: d });
      return launch("masked_norm_backward", [x(d), x(d), mean, mean], { batch: true });
    }),
  ],
};
