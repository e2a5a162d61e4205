import { gaussianNoise, zeros } from "../../../lib";
import { launch } from "../../../lib/launch";
import type { Random } from "../../../lib/random";
import { type OpRecord, type Sample, triple } from "../../op-suite";

function sample(random: Random, high: number): Sample {
  const shape = [1 + random.int(3), 1, ...triple(random, 1, high)];
  const options = {
    sigma: random.uniformIn(0, 2),
    seed: random.int(2 ** 53),
    step: random.uint32(),
    index: random.uint32(),
  };
  return {
    name: `${shape}, ${JSON.stringify(options)}`,
    inputs: { x: { shape } },
    run: ({ x }) => {
      gaussianNoise(x!, options);
      return x!;
    },
  };
}

export const record: OpRecord = {
  op: "gaussian_noise",
  kernels: ["gaussian_noise"],
  gradient: "none",
  samples: (random) => [sample(random, 3), sample(random, 9), sample(random, 14)],
  large: (random) => ({ ...sample(random, 1), name: "large", inputs: { x: { shape: [2, 1, 40, 41, 43] } } }),
  errors: [
    {
      name: "two channels",
      code: "SHAPE",
      call: (device) => gaussianNoise(zeros([1, 2, 2, 2, 2], { device }), { sigma: 1, seed: 0 }),
    },
    {
      name: "negative sigma",
      code: "RANGE",
      call: (device) => gaussianNoise(zeros([1, 1, 2, 2, 2], { device }), { sigma: -1, seed: 0 }),
    },
    {
      name: "NaN sigma",
      code: "RANGE",
      call: (device) => gaussianNoise(zeros([1, 1, 2, 2, 2], { device }), { sigma: Number.NaN, seed: 0 }),
    },
    {
      name: "negative seed",
      code: "RANGE",
      call: (device) => gaussianNoise(zeros([1, 1, 2, 2, 2], { device }), { sigma: 1, seed: -1 }),
    },
    {
      name: "a step of 2^32",
      code: "RANGE",
      call: (device) =>
        launch("gaussian_noise", [zeros([1, 1, 2, 2, 2], { device })], { sigma: 1, step: 2 ** 32 }),
    },
  ],
};
