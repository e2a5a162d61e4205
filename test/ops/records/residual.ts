import { type DeviceName, maskedNorm, residual, zeros } from "../../../lib";
import { launch } from "../../../lib/launch";
import type { Random } from "../../../lib/random";
import { drawMask, type OpRecord, type Sample, triple } from "../../op-suite";

/** Which of x and skip have a pending norm, and the slope of its leaky ReLU. */
interface Variant {
  x?: number;
  skip?: number;
  masked?: boolean;
}

function sample(
  random: Random,
  channels: number,
  { x: xSlope, skip: skipSlope, masked = true }: Variant,
): Sample {
  const samples = 1 + random.int(3);
  // Few voxels where channels are many, or no draw of all values keeps away from the kink. At least four a block: with one
  // or two a norm's gradient is what eps leaves of a difference of equal numbers.
  const most = channels > 40 ? 1 : channels > 8 ? 2 : 3;
  const grid = triple(random, 1, most);
  const shape = [samples, channels, ...grid.map((g, axis) => g * (axis === 2 ? 4 : 1 + random.int(most)))];
  const norm = { shape: [channels] };
  return {
    name: `${shape}, norm on x ${xSlope}, on skip ${skipSlope}`,
    inputs: { x: { shape, masked }, skip: { shape, masked }, gamma: norm, beta: norm },
    ...(masked && { mask: drawMask(random, samples, grid) as NonNullable<Sample["mask"]> }),
    run: ({ x, skip, gamma, beta }) => {
      const options = { kind: "instance", eps: 1e-2, pending: true } as const;
      const a = xSlope === undefined ? x! : maskedNorm(x!, gamma, beta, { ...options, slope: xSlope });
      const b =
        skipSlope === undefined ? skip! : maskedNorm(skip!, gamma, beta, { ...options, slope: skipSlope });
      return residual(a, b, 0.1);
    },
    kink: 0.1,
  };
}

const x = (device: DeviceName, c = 3) => zeros([2, c, 2, 2, 2], { device });
const affine = (device: DeviceName, n = 2) => zeros([n, 3, 3], { device });

export const record: OpRecord = {
  op: "residual",
  kernels: ["residual_forward", "masked_norm_affine", "masked_norm_backward_in_place"],
  gradient: "smooth",
  tolerance: 1e-5,
  samples: (random) => [
    sample(random, 1 + random.int(5), {}),
    // Several channels where there is a norm: the one sum that is gamma's or beta's gradient might cancel.
    sample(random, 4 + random.int(5), { x: 1 }),
    sample(random, 4 + random.int(37), { x: 1, skip: 1, masked: false }),
    sample(random, 65 + random.int(9), { skip: 1 }),
  ],
  large: (random) => ({
    ...sample(random, 24, { x: 1, skip: 0.3 }),
    name: "large",
    inputs: {
      x: { shape: [3, 24, 32, 32, 32], masked: true },
      skip: { shape: [3, 24, 32, 32, 32], masked: true },
      gamma: { shape: [24] },
      beta: { shape: [24] },
    },
    mask: drawMask(random, 3, [8, 8, 8]) as NonNullable<Sample["mask"]>,
  }),
  errors: [
    { name: "shapes differ", code: "SHAPE", call: (d) => residual(x(d), x(d, 4)) },
    { name: "slope 2", code: "RANGE", call: (d) => residual(x(d), x(d), 2) },
    {
      name: "affine of other samples",
      code: "SHAPE",
      call: (d) => launch("residual_forward", [x(d), undefined, affine(d, 3)], {}),
    },
    {
      name: "affine of no skip",
      code: "TYPE",
      call: (d) => launch("residual_forward", [x(d), undefined, undefined, affine(d)], {}),
    },
  ],
};
