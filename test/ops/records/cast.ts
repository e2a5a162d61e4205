import { cast, tensor, zeros } from "../../../lib";
import type { Random } from "../../../lib/random";
import { drawMask, type OpRecord, type Sample, triple } from "../../op-suite";

/** Every device has the type that the sample is run in; other ones are the business of cast.test.ts. */
const sample = (shape: readonly number[]): Sample => ({
  name: `${shape}`,
  inputs: { x: { shape } },
  run: ({ x }) => cast(x!, x?.dtype ?? "float32"),
});

function masked(random: Random): Sample {
  const grid = triple(random, 1, 3);
  const samples = 1 + random.int(3);
  const shape = [samples, 1 + random.int(5), ...grid.map((g) => g * (1 + random.int(3)))];
  return {
    ...sample(shape),
    inputs: { x: { shape, masked: true } },
    mask: drawMask(random, samples, grid),
  };
}

export const record: OpRecord = {
  op: "cast",
  kernels: ["cast"],
  gradient: "linear",
  tolerance: 0,
  samples: (random) => [
    sample([1, 3, ...triple(random, 1, 5)]),
    sample([1 + random.int(70)]),
    masked(random),
  ],
  large: () => sample([1, 33, 32, 32, 32]),
  maskedIsDense: masked,
  errors: [
    {
      name: "no such type",
      code: "RANGE",
      call: (device) => cast(zeros([1], { device }), "int8" as never),
    },
    {
      name: "data of another type",
      code: "TYPE",
      call: (device) => cast(tensor(["1"] as never, [1], { device }), "float32"),
    },
  ],
};
