import { avgPool3d, zeros } from "../../../lib";
import { launch } from "../../../lib/launch";
import type { Random } from "../../../lib/random";
import { looseMask } from "../../masks";
import { drawMask, type OpRecord, type Sample, triple } from "../../op-suite";

function sample(random: Random, channels: number, masked = false): Sample {
  const samples = 1 + random.int(2);
  const kernel = triple(random, 1, 3);
  const grid = triple(random, 1, 3);
  const size = grid.map((g, a) => g * (kernel[a] as number) * (1 + random.int(2)));
  return {
    name: `kernel ${kernel}, ${channels} channels of ${size}${masked ? ", masked" : ""}`,
    inputs: { x: { shape: [samples, channels, ...size], masked } },
    ...(masked && { mask: drawMask(random, samples, grid) as NonNullable<Sample["mask"]> }),
    run: ({ x }) => avgPool3d(x!, kernel),
  };
}

export const record: OpRecord = {
  op: "avg_pool3d",
  kernels: ["avg_pool3d_forward", "avg_pool3d_backward"],
  gradient: "linear",
  samples: (random) => [
    sample(random, 1),
    sample(random, 1 + random.int(20)),
    sample(random, 33),
    sample(random, 1 + random.int(20), true),
  ],
  large: () => ({
    name: "large",
    inputs: { x: { shape: [1, 33, 32, 32, 32] } },
    run: ({ x }) => avgPool3d(x!),
  }),
  maskedIsDense: (random) => sample(random, 1 + random.int(4), true),
  errors: [
    { name: "odd volume", code: "SHAPE", call: (device) => avgPool3d(zeros([1, 1, 4, 3, 4], { device })) },
    { name: "rank 3", code: "SHAPE", call: (device) => avgPool3d(zeros([4, 4, 4], { device })) },
    {
      name: "kernel 0",
      code: "RANGE",
      call: (device) => avgPool3d(zeros([1, 1, 2, 2, 2], { device }), [1, 0, 1]),
    },
    {
      name: "kernel of two axes",
      code: "RANGE",
      call: (device) => avgPool3d(zeros([1, 1, 2, 2, 2], { device }), [2, 2] as never),
    },
    {
      name: "kernel does not divide the block edge",
      code: "SHAPE",
      call: (device) => {
        const mask = looseMask({
          samples: 1,
          grid: [2, 2, 2],
          visible: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0),
        });
        return avgPool3d(zeros([1, 1, 6, 6, 6], { device, mask }));
      },
    },
    {
      name: "backward of rank 1",
      code: "SHAPE",
      call: (device) => launch("avg_pool3d_backward", [zeros([4], { device })], {}),
    },
  ],
};
