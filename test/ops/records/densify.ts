import { densify, zeros } from "../../../lib";
import { launch } from "../../../lib/launch";
import type { Random } from "../../../lib/random";
import { looseMask } from "../../masks";
import { drawMask, type OpRecord, type Sample, triple } from "../../op-suite";

function sample(random: Random, channels: number, token: "vector" | "feature" | "none"): Sample {
  const samples = 1 + random.int(3);
  const grid = triple(random, 1, 3);
  const size = grid.map((g) => g * (1 + random.int(3)));
  const shape = token === "vector" ? [channels] : [1, channels, 1, 1, 1];
  return {
    name: `${channels} channels of ${size}, token ${token}`,
    inputs: {
      x: { shape: [samples, channels, ...size], masked: true },
      ...(token !== "none" && { token: { shape } }),
    },
    mask: drawMask(random, samples, grid) as NonNullable<Sample["mask"]>,
    run: ({ x, token }) => densify(x!, token),
  };
}

const mask = () => looseMask({ samples: 1, grid: [2, 1, 1], visible: Uint8Array.of(1, 0) });

export const record: OpRecord = {
  op: "densify",
  kernels: ["densify_forward", "densify_token_gradient", "apply_mask_forward"],
  gradient: "linear",
  samples: (random) => [
    sample(random, 1 + random.int(5), "none"),
    // Several channels: the one sum that is the gradient of a token might cancel.
    sample(random, 4 + random.int(37), "vector"),
    sample(random, 4 + random.int(77), "feature"),
  ],
  large: (random) => ({
    ...sample(random, 1, "vector"),
    name: "large",
    inputs: { x: { shape: [2, 20, 32, 32, 32], masked: true }, token: { shape: [20] } },
    mask: drawMask(random, 2, [8, 8, 8]) as NonNullable<Sample["mask"]>,
  }),
  errors: [
    { name: "dense already", code: "SHAPE", call: (device) => densify(zeros([1, 1, 2, 2, 2], { device })) },
    {
      name: "token of other channels",
      code: "SHAPE",
      call: (device) => densify(zeros([1, 3, 2, 2, 2], { device, mask: mask() }), zeros([2], { device })),
    },
    {
      name: "gradient of the token without a mask",
      code: "TYPE",
      call: (device) =>
        launch("densify_token_gradient", [zeros([1, 3, 2, 2, 2], { device }), zeros([3], { device })], {}),
    },
    {
      name: "gradient of the token from a masked gradient",
      code: "SHAPE",
      call: (device) => {
        const m = mask();
        const gy = zeros([1, 3, 2, 2, 2], { device, mask: m });
        return launch("densify_token_gradient", [gy, zeros([3], { device })], { mask: m });
      },
    },
  ],
};
