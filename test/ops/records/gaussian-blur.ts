import { gaussianBlur, zeros } from "../../../lib";
import { launch } from "../../../lib/launch";
import type { Random } from "../../../lib/random";
import { type OpRecord, type Sample, triple } from "../../op-suite";

/** Axes shorter than the kernel's reach included, and axes that are left alone. */
function sample(random: Random, most: number): Sample {
  const shape = [1 + random.int(2), 1, ...triple(random, 1, 19)];
  const sigma = [0, 1, 2].map(() => (random.int(4) ? random.uniformIn(0.01, most) : 0)) as [
    number,
    number,
    number,
  ];
  return {
    name: `${shape}, sigma ${sigma}`,
    inputs: { x: { shape } },
    run: ({ x }) => gaussianBlur(x!, sigma),
  };
}

export const record: OpRecord = {
  op: "gaussian_blur",
  kernels: ["gaussian_blur"],
  gradient: "none",
  samples: (random) => [sample(random, 1), sample(random, 1), sample(random, 2.5)],
  large: () => ({
    name: "large",
    inputs: { x: { shape: [2, 1, 30, 41, 43] } },
    run: ({ x }) => gaussianBlur(x!, [1, 0.5, 0.8]),
  }),
  errors: [
    {
      name: "two channels",
      code: "SHAPE",
      call: (device) => gaussianBlur(zeros([1, 2, 2, 2, 2], { device }), [1, 1, 1]),
    },
    {
      name: "two deviations",
      code: "SHAPE",
      call: (device) => launch("gaussian_blur", [zeros([1, 1, 2, 2, 2], { device })], { sigma: [1, 1] }),
    },
    {
      name: "negative deviation",
      code: "RANGE",
      call: (device) => gaussianBlur(zeros([1, 1, 2, 2, 2], { device }), [1, -0.1, 1]),
    },
    {
      name: "NaN deviation",
      code: "RANGE",
      call: (device) => gaussianBlur(zeros([1, 1, 2, 2, 2], { device }), [Number.NaN, 1, 1]),
    },
  ],
};
