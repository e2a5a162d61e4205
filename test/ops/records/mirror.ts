import { mirror, zeros } from "../../../lib";
import { launch } from "../../../lib/launch";
import type { Random } from "../../../lib/random";
import { type OpRecord, type Sample, triple } from "../../op-suite";

function sample(random: Random, axes: number): Sample {
  const shape = [1 + random.int(2), 1 + random.int(3), ...triple(random, 1, 7)];
  return {
    name: `${shape}, axes ${axes.toString(2)}`,
    inputs: { x: { shape } },
    run: ({ x }) => {
      mirror(x!, [(axes & 4) > 0, (axes & 2) > 0, (axes & 1) > 0]);
      return x!;
    },
  };
}

export const record: OpRecord = {
  op: "mirror",
  kernels: ["mirror"],
  gradient: "none",
  tolerance: 0,
  samples: (random) => Array.from({ length: 8 }, (_, axes) => sample(random, axes)),
  large: (random) => ({ ...sample(random, 7), name: "large", inputs: { x: { shape: [2, 1, 40, 41, 43] } } }),
  errors: [
    { name: "rank 1", code: "SHAPE", call: (device) => mirror(zeros([2], { device }), [true, true, true]) },
    {
      name: "axes of 2",
      code: "RANGE",
      call: (device) => launch("mirror", [zeros([1, 1, 2, 2, 2], { device })], { axes: [0, 2, 0] }),
    },
  ],
};
