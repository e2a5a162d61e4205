import { concat, zeros } from "../../../lib";
import { launch } from "../../../lib/launch";
import type { Random } from "../../../lib/random";
import { drawMask, type OpRecord, type Sample, triple } from "../../op-suite";

function join(random: Random, channels: readonly number[], masked = false): Sample {
  const samples = 1 + random.int(3);
  const grid = triple(random, 1, 3);
  const size = grid.map((g) => g * (1 + random.int(3)));
  const inputs = Object.fromEntries(
    channels.map((c, i) => [`x${i}`, { shape: [samples, c, ...size], masked }] as const),
  );
  return {
    name: `${channels} channels of ${size}${masked ? ", masked" : ""}`,
    inputs,
    ...(masked && { mask: drawMask(random, samples, grid) as NonNullable<Sample["mask"]> }),
    run: (named) => concat(...Object.values(named)),
  };
}

export const record: OpRecord = {
  op: "concat",
  kernels: ["concat_forward", "concat_backward"],
  gradient: "linear",
  tolerance: 0,
  samples: (random) => [
    join(random, [1 + random.int(40), 1 + random.int(40)]),
    join(random, [1, 2, 3, 4]),
    join(random, [3, 5], true),
  ],
  large: (random) => {
    const shape = [2, 16, 24, 24, 24];
    return { ...join(random, []), inputs: { a: { shape }, b: { shape } } };
  },
  maskedIsDense: (random) => join(random, [1 + random.int(4), 1 + random.int(4)], true),
  errors: [
    { name: "one source", code: "SHAPE", call: (device) => concat(zeros([1, 1, 1, 1, 1], { device })) },
    {
      name: "volumes differ",
      code: "SHAPE",
      call: (device) => concat(zeros([1, 1, 2, 2, 2], { device }), zeros([1, 1, 2, 2, 3], { device })),
    },
    {
      name: "rank 2",
      code: "SHAPE",
      call: (device) => concat(zeros([1, 2], { device }), zeros([1, 2], { device })),
    },
    {
      name: "backward, channels do not add up",
      code: "SHAPE",
      call: (device) => launch("concat_backward", [zeros([1, 3, 1, 1, 1], { device })], { channels: [1, 1] }),
    },
    {
      name: "backward, no channels in a part",
      code: "RANGE",
      call: (device) => launch("concat_backward", [zeros([1, 3, 1, 1, 1], { device })], { channels: [3, 0] }),
    },
  ],
};
