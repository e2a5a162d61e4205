import { scale, zeros } from "../../../lib";
import type { Random } from "../../../lib/random";
import { drawMask, type OpRecord, type Sample, triple } from "../../op-suite";

const sample = (shape: readonly number[], factor: number): Sample => ({
  name: `${shape}, factor ${factor}`,
  inputs: { x: { shape } },
  run: ({ x }) => scale(x!, factor),
});

function masked(random: Random): Sample {
  const grid = triple(random, 1, 3);
  const samples = 1 + random.int(3);
  const shape = [samples, 1 + random.int(5), ...grid.map((g) => g * (1 + random.int(3)))];
  return {
    ...sample(shape, -2.5),
    inputs: { x: { shape, masked: true } },
    mask: drawMask(random, samples, grid),
  };
}

export const record: OpRecord = {
  op: "scale",
  kernels: ["scale"],
  gradient: "linear",
  samples: (random) => [
    sample([1 + random.int(3), 1 + random.int(9), ...triple(random, 1, 5)], 0.3),
    sample([1 + random.int(70)], -1.7),
    sample([1], random.normal()),
    masked(random),
  ],
  large: () => sample([1, 33, 32, 32, 32], 1.25),
  maskedIsDense: masked,
  errors: [Number.NaN, Number.POSITIVE_INFINITY].map((factor) => ({
    name: `factor ${factor}`,
    code: "RANGE",
    call: (device) => scale(zeros([1], { device }), factor),
  })),
};
