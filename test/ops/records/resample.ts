import { zeros } from "../../../lib";
import { launch } from "../../../lib/launch";
import { resampleAffine, resize } from "../../../lib/ops/resample";
import type { Random } from "../../../lib/random";
import { type OpRecord, type Sample, triple } from "../../op-suite";

const orders = [0, 1, 3] as const;

/** Clipping to the input's range has no gradient. */
function resized(random: Random, order: (typeof orders)[number], clip: boolean): Sample {
  const shape = [1 + random.int(2), 1 + random.int(3), ...triple(random, 1, 8)];
  const size = triple(random, 1, 9);
  return {
    name: `${shape} to ${size}, order ${order}${clip ? ", clipped" : ""}`,
    inputs: { x: { shape, constant: clip } },
    run: ({ x }) => resize(x!, size, { order, clip }),
  };
}

function moved(random: Random, order: (typeof orders)[number]): Sample {
  const shape = [1 + random.int(2), 1 + random.int(3), ...triple(random, 2, 8)];
  const size = triple(random, 1, 9);
  // Near the identity, so that most places lie inside; off the grid, so that rounding cannot flip a neighbour.
  const matrix = Array.from({ length: 12 }, (_, i) => (i % 5 === 0 ? 1 : 0) + 0.2 * (random.uniform() - 0.5));
  return {
    name: `${shape} to ${size}, affine, order ${order}`,
    inputs: { x: { shape } },
    run: ({ x }) => resampleAffine(x!, size, matrix, { order, outside: -1 }),
  };
}

export const record: OpRecord = {
  op: "resample",
  kernels: [
    "resample_separable",
    "resample_separable_backward",
    "resample_affine",
    "resample_affine_backward",
  ],
  gradient: "linear",
  tolerance: 1e-5,
  samples: (random) =>
    orders.flatMap((order) => [
      resized(random, order, true),
      resized(random, order, false),
      moved(random, order),
    ]),
  large: () => ({
    name: "large",
    inputs: { x: { shape: [2, 2, 40, 40, 40] } },
    run: ({ x }) =>
      resampleAffine(
        resize(x!, [50, 33, 47], { clip: false }),
        [40, 40, 40],
        [1, 0.1, 0, 0.5, -0.1, 1, 0, 0.3, 0, 0, 1, 0.2],
      ),
  }),
  errors: [
    { name: "rank 3", code: "SHAPE", call: (device) => resize(zeros([2, 2, 2], { device }), [1, 1, 1]) },
    {
      name: "size 0",
      code: "RANGE",
      call: (device) => resize(zeros([1, 1, 2, 2, 2], { device }), [0, 1, 1]),
    },
    {
      name: "backward to a size of 0",
      code: "RANGE",
      call: (device) =>
        launch("resample_separable_backward", [zeros([1, 1, 2, 2, 2], { device })], { from: [0, 1, 1] }),
    },
    {
      name: "matrix of 11 entries",
      code: "SHAPE",
      call: (device) => resampleAffine(zeros([1, 1, 2, 2, 2], { device }), [2, 2, 2], Array(11).fill(0)),
    },
  ],
};
