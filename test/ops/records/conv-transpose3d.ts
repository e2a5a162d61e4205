import { convTranspose3d, type DeviceName, type Triple, zeros } from "../../../lib";
import type { Random } from "../../../lib/random";
import { drawMask, type InputSpec, type OpRecord, type Sample, triple } from "../../op-suite";

function sample(
  random: Random,
  [c, k]: [number, number],
  stride: Triple,
  masked = false,
  draw: NonNullable<InputSpec["draw"]> = "normal",
): Sample {
  const samples = 1 + random.int(2);
  const grid = triple(random, 1, 3);
  const size = grid.map((g) => g * (1 + random.int(2)));
  return {
    name: `${c} to ${k}, stride ${stride}, ${size}${masked ? ", masked" : ""}`,
    inputs: {
      x: { shape: [samples, c, ...size], masked, draw },
      weight: { shape: [c, k, ...stride], draw },
      bias: { shape: [k], draw },
    },
    ...(masked && { mask: drawMask(random, samples, grid) as NonNullable<Sample["mask"]> }),
    run: ({ x, weight, bias }) => convTranspose3d(x!, weight!, bias),
  };
}

const x = (device: DeviceName) => zeros([1, 2, 2, 2, 2], { device });

export const record: OpRecord = {
  op: "conv_transpose3d",
  kernels: ["conv_transpose3d_forward", "conv_transpose3d_grad_input", "conv_transpose3d_grad_weight"],
  gradient: "linear",
  samples: (random) => [
    // Several outputs: the one sum that is the gradient of a bias might cancel.
    sample(random, [1 + random.int(6), 4 + random.int(3)], [2, 2, 2]),
    sample(random, [1 + random.int(40), 4 + random.int(37)], [2, 2, 2]),
    sample(random, [3, 3], [1, 2, 2]),
    sample(random, [2, 3], [3, 1, 2], true),
  ],
  large: () => ({
    name: "large",
    inputs: {
      x: { shape: [1, 34, 12, 12, 12] },
      weight: { shape: [34, 33, 2, 2, 2] },
      bias: { shape: [33] },
    },
    run: ({ x, weight, bias }) => convTranspose3d(x!, weight!, bias),
  }),
  maskedIsDense: (random) =>
    sample(random, [1 + random.int(4), 1 + random.int(4)], triple(random, 1, 2), true, "integer"),
  errors: [
    {
      name: "channels differ",
      code: "SHAPE",
      call: (device) => convTranspose3d(x(device), zeros([3, 2, 2, 2, 2], { device })),
    },
    {
      name: "bias of other channels",
      code: "SHAPE",
      call: (device) =>
        convTranspose3d(x(device), zeros([2, 3, 2, 2, 2], { device }), zeros([2], { device })),
    },
    {
      name: "weight of rank 1",
      code: "SHAPE",
      call: (device) => convTranspose3d(x(device), zeros([2], { device })),
    },
  ],
};
