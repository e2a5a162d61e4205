import { leakyRelu, zeros } from "../../../lib";
import { launch } from "../../../lib/launch";
import type { Random } from "../../../lib/random";
import { drawMask, type OpRecord, type Sample, triple } from "../../op-suite";

const sample = (shape: readonly number[], slope: number): Sample => ({
  name: `${shape}, slope ${slope}`,
  inputs: { x: { shape } },
  run: ({ x }) => leakyRelu(x!, slope),
  kink: slope,
});

function masked(random: Random): Sample {
  const grid = triple(random, 1, 3);
  const samples = 1 + random.int(3);
  const shape = [samples, 1 + random.int(5), ...grid.map((g) => g * (1 + random.int(3)))];
  return {
    ...sample(shape, 0.1),
    inputs: { x: { shape, masked: true } },
    mask: drawMask(random, samples, grid),
  };
}

export const record: OpRecord = {
  op: "leaky_relu",
  kernels: ["leaky_relu_forward", "leaky_relu_backward"],
  gradient: "smooth",
  samples: (random) => [
    sample([1, 3, ...triple(random, 1, 5)], 0.01),
    sample([1 + random.int(70)], 0.2),
    sample([1 + random.int(70)], 1),
    masked(random),
  ],
  large: () => sample([1, 33, 32, 32, 32], 0.01),
  maskedIsDense: masked,
  errors: [
    { name: "slope below 0", code: "RANGE", call: (device) => leakyRelu(zeros([1], { device }), -0.1) },
    { name: "slope above 1", code: "RANGE", call: (device) => leakyRelu(zeros([1], { device }), 2) },
    { name: "slope NaN", code: "RANGE", call: (device) => leakyRelu(zeros([1], { device }), Number.NaN) },
    {
      name: "gradient of another shape",
      code: "SHAPE",
      call: (device) => launch("leaky_relu_backward", [zeros([2], { device }), zeros([3], { device })], {}),
    },
  ],
};
