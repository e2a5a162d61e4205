import { resampleLabels, zeros } from "../../../lib";
import { launch } from "../../../lib/launch";
import type { Random } from "../../../lib/random";
import { type OpRecord, type Sample, triple } from "../../op-suite";

/** Five labels from -2 on; places off the grid, so that rounding cannot turn a vote. */
function sample(random: Random): Sample {
  const shape = [1 + random.int(2), 1, ...triple(random, 1, 9)];
  const size = triple(random, 1, 9);
  const matrix = Array.from({ length: 12 }, (_, i) => (i % 5 === 0 ? 1 : 0) + 0.3 * (random.uniform() - 0.5));
  return {
    name: `${shape} to ${size}`,
    inputs: { x: { shape, draw: "integer" } },
    run: ({ x }) => resampleLabels(x!, size, matrix, -7),
  };
}

const identity = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0];

export const record: OpRecord = {
  op: "resample_labels",
  kernels: ["resample_labels"],
  gradient: "none",
  tolerance: 0,
  samples: (random) => Array.from({ length: 6 }, () => sample(random)),
  large: () => ({
    name: "large",
    inputs: { x: { shape: [2, 1, 40, 40, 70], draw: "integer" } },
    run: ({ x }) => resampleLabels(x!, [40, 40, 70], [1, 0.1, 0, 0.5, -0.1, 1, 0, 0.3, 0, 0, 1, 0.2]),
  }),
  errors: [
    {
      name: "two channels",
      code: "SHAPE",
      call: (device) => resampleLabels(zeros([1, 2, 2, 2, 2], { device }), [1, 1, 1], identity),
    },
    {
      name: "matrix of 24 entries",
      code: "SHAPE",
      call: (device) =>
        resampleLabels(zeros([1, 1, 2, 2, 2], { device }), [1, 1, 1], [...identity, ...identity]),
    },
    {
      name: "size 0",
      code: "RANGE",
      call: (device) => resampleLabels(zeros([1, 1, 2, 2, 2], { device }), [0, 1, 1], identity),
    },
    {
      name: "NaN in the matrix",
      code: "RANGE",
      call: (device) =>
        launch("resample_labels", [zeros([1, 1, 2, 2, 2], { device })], {
          size: [1, 1, 1],
          matrix: [Number.NaN, ...identity.slice(1)],
        }),
    },
  ],
};
