import { maskedMse, zeros } from "../../../lib";
import { launch } from "../../../lib/launch";
import type { Random } from "../../../lib/random";
import { looseMask } from "../../masks";
import { drawMask, type OpRecord, type Sample, triple } from "../../op-suite";

function sample(random: Random, channels: number, kind: "masked" | "plain" | "constant target"): Sample {
  const samples = 1 + random.int(3);
  const grid = triple(random, 1, 3);
  const shape = [samples, channels, ...grid.map((g) => g * (1 + random.int(4)))];
  return {
    name: `${shape}, ${kind}`,
    inputs: { prediction: { shape }, target: { shape, constant: kind === "constant target" } },
    ...(kind !== "plain" && { mask: drawMask(random, samples, grid) as NonNullable<Sample["mask"]> }),
    run: ({ prediction, target }, mask) => maskedMse(prediction!, target!, mask),
  };
}

export const record: OpRecord = {
  op: "masked_mse",
  kernels: ["masked_mse_forward", "masked_mse_backward"],
  gradient: "smooth",
  samples: (random) => [
    sample(random, 1, "masked"),
    sample(random, 1 + random.int(9), "masked"),
    sample(random, 1, "constant target"),
    sample(random, 3, "plain"),
  ],
  large: (random) => {
    const shape = [2, 1, 64, 64, 64];
    return {
      ...sample(random, 1, "masked"),
      name: "large",
      inputs: { prediction: { shape }, target: { shape } },
      mask: drawMask(random, 2, [8, 8, 8]) as NonNullable<Sample["mask"]>,
    };
  },
  errors: [
    {
      name: "shapes differ",
      code: "SHAPE",
      call: (device) => maskedMse(zeros([1, 1, 2, 2, 2], { device }), zeros([1, 1, 2, 2, 3], { device })),
    },
    {
      name: "rank 1",
      code: "SHAPE",
      call: (device) => maskedMse(zeros([2], { device }), zeros([2], { device })),
    },
    {
      name: "grid does not divide",
      code: "SHAPE",
      call: (device) => {
        const x = zeros([1, 1, 3, 2, 2], { device });
        return maskedMse(x, x, looseMask({ samples: 1, grid: [2, 1, 1], visible: Uint8Array.of(1, 0) }));
      },
    },
    {
      name: "sparse prediction",
      code: "SHAPE",
      call: (device) => {
        const mask = looseMask({ samples: 1, grid: [2, 1, 1], visible: Uint8Array.of(1, 0) });
        const x = zeros([1, 1, 2, 2, 2], { device, mask });
        return maskedMse(x, x, mask);
      },
    },
    {
      name: "gradient of the loss is no scalar",
      code: "SHAPE",
      call: (device) => {
        const x = zeros([1, 1, 2, 2, 2], { device });
        return launch("masked_mse_backward", [x, x, zeros([2], { device })], {});
      },
    },
  ],
};
