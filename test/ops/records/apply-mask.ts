import { applyMask, type BlockMask, zeros } from "../../../lib";
import type { Random } from "../../../lib/random";
import { looseMask } from "../../masks";
import { drawMask, type OpRecord, type Sample, triple } from "../../op-suite";

function sample(random: Random, channels: number): Sample {
  const samples = 1 + random.int(3);
  const grid = triple(random, 1, 3);
  const size = grid.map((g) => g * (1 + random.int(3)));
  return {
    name: `${channels} channels of ${size}`,
    inputs: { x: { shape: [samples, channels, ...size] } },
    mask: drawMask(random, samples, grid) as NonNullable<Sample["mask"]>,
    run: ({ x }, mask) => applyMask(x!, mask as BlockMask),
  };
}

const mask = () => looseMask({ samples: 1, grid: [2, 1, 1], visible: Uint8Array.of(1, 0) });

export const record: OpRecord = {
  op: "apply_mask",
  kernels: ["apply_mask_forward", "densify_forward"],
  gradient: "linear",
  tolerance: 0,
  samples: (random) => [sample(random, 1), sample(random, 1 + random.int(40))],
  large: (random) => ({
    ...sample(random, 1),
    name: "large",
    inputs: { x: { shape: [2, 20, 32, 32, 32] } },
    mask: drawMask(random, 2, [8, 8, 8]) as NonNullable<Sample["mask"]>,
  }),
  errors: [
    {
      name: "no mask",
      code: "TYPE",
      call: (device) => applyMask(zeros([1, 1, 2, 2, 2], { device }), undefined as unknown as BlockMask),
    },
    {
      name: "grid does not divide",
      code: "SHAPE",
      call: (device) => applyMask(zeros([1, 1, 3, 2, 2], { device }), mask()),
    },
    {
      name: "other samples",
      code: "SHAPE",
      call: (device) => applyMask(zeros([2, 1, 2, 2, 2], { device }), mask()),
    },
    {
      name: "masked already",
      code: "SHAPE",
      call: (device) => {
        const m = mask();
        return applyMask(zeros([1, 1, 2, 2, 2], { device, mask: m }), m);
      },
    },
  ],
};
