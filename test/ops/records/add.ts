import { add, tensor, zeros } from "../../../lib";
import { launch } from "../../../lib/launch";
import type { Random } from "../../../lib/random";
import { drawMask, type OpRecord, type Sample, triple } from "../../op-suite";

const feature = (random: Random) => [1 + random.int(3), 1 + random.int(9), ...triple(random, 1, 5)];

const pair = (name: string, shape: readonly number[]): Sample => ({
  name,
  inputs: { a: { shape }, b: { shape } },
  run: ({ a, b }) => add(a!, b!),
});

function masked(random: Random): Sample {
  const grid = triple(random, 1, 3);
  const samples = 1 + random.int(3);
  const shape = [samples, 1 + random.int(5), ...grid.map((g) => g * (1 + random.int(3)))];
  return {
    name: `masked ${shape}`,
    inputs: { a: { shape, masked: true }, b: { shape, masked: true } },
    mask: drawMask(random, samples, grid),
    run: ({ a, b }) => add(a!, b!),
  };
}

export const record: OpRecord = {
  op: "add",
  kernels: ["add_forward", "accumulate"],
  gradient: "linear",
  samples: (random) => [
    pair("dense", feature(random)),
    pair("a vector", [1 + random.int(40)]),
    masked(random),
    {
      name: "the same tensor twice, gradients accumulate",
      inputs: { a: { shape: feature(random) } },
      run: ({ a }) => add(add(a!, a!), a!),
    },
    {
      name: "accumulate in place",
      inputs: { sum: { shape: [33], constant: true }, term: { shape: [33], constant: true } },
      run: ({ sum, term }) => {
        launch("accumulate", [sum, term], {});
        return add(sum!, term!);
      },
    },
  ],
  large: () => pair("large", [2, 16, 32, 32, 32]),
  maskedIsDense: masked,
  errors: [
    {
      name: "shapes differ",
      code: "SHAPE",
      call: (device) => add(zeros([2, 3], { device }), zeros([3, 2], { device })),
    },
    {
      name: "devices differ",
      code: "DEVICE",
      call: (device) =>
        add(zeros([2], { device }), zeros([2], { device: device === "cpu" ? "null" : "cpu" })),
    },
    {
      name: "accumulate, shapes differ",
      code: "SHAPE",
      call: (device) => launch("accumulate", [zeros([2], { device }), tensor([1], [1], { device })], {}),
    },
  ],
};
