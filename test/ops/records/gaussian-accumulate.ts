import { gaussianAccumulate, gaussianNormalize, zeros } from "../../../lib";
import { launch } from "../../../lib/launch";
import type { Random } from "../../../lib/random";
import { type OpRecord, type Sample, triple } from "../../op-suite";

type Parts = "window and weight" | "window" | "weight" | "neither";

/** A patch that reaches out of the accumulator on any side, or misses it. */
function sample(random: Random, channels: number, parts: Parts, normalize = false): Sample {
  const samples = 1 + random.int(2);
  const size = triple(random, 1, 9);
  const patch = triple(random, 1, 9);
  const offset = size.map((s, a) => random.int(s + patch[a]! + 1) - patch[a]!) as [number, number, number];
  const flip = [0, 1, 2].map(() => random.int(2) === 1) as [boolean, boolean, boolean];
  return {
    name: `${size} += ${patch} at ${offset}, flip ${flip}, C ${channels}, ${parts}`,
    inputs: {
      sum: { shape: [samples, channels, ...size] },
      patch: { shape: [samples, channels, ...patch] },
      ...(parts.includes("weight") && { weight: { shape: [samples, 1, ...size], draw: "positive" } }),
      ...(parts.includes("window") && { window: { shape: [1, 1, ...patch], draw: "positive" } }),
    },
    run: ({ sum, weight, patch, window }) => {
      gaussianAccumulate(sum!, weight, patch!, { offset, flip, window });
      if (normalize && weight) gaussianNormalize(sum!, weight);
      return weight ? [sum!, weight] : sum!;
    },
  };
}

const volume = (device: Parameters<OpRecord["errors"][0]["call"]>[0], channels = 1, edge = 2) =>
  zeros([1, channels, edge, edge, edge], { device });
const offset = [0, 0, 0] as const;

export const record: OpRecord = {
  op: "gaussian_accumulate",
  kernels: ["gaussian_accumulate", "gaussian_normalize"],
  gradient: "none",
  samples: (random) => [
    ...(["window and weight", "window", "weight", "neither"] as const).flatMap((parts) => [
      sample(random, 1, parts),
      sample(random, 2 + random.int(3), parts),
    ]),
    sample(random, 3, "window and weight", true),
    sample(random, 7, "window and weight", true),
  ],
  large: () => ({
    name: "large",
    inputs: {
      sum: { shape: [1, 3, 40, 48, 56] },
      patch: { shape: [1, 3, 40, 40, 40] },
      weight: { shape: [1, 1, 40, 48, 56], draw: "positive" },
      window: { shape: [1, 1, 40, 40, 40], draw: "positive" },
    },
    run: ({ sum, weight, patch, window }) => {
      gaussianAccumulate(sum!, weight, patch!, { offset: [-3, 5, 9], flip: [true, false, true], window });
      gaussianNormalize(sum!, weight!);
      return [sum!, weight!];
    },
  }),
  errors: [
    {
      name: "channels differ",
      code: "SHAPE",
      call: (d) => gaussianAccumulate(volume(d), undefined, volume(d, 2), { offset }),
    },
    {
      name: "weight of another size",
      code: "SHAPE",
      call: (d) => gaussianAccumulate(volume(d), volume(d, 1, 3), volume(d), { offset }),
    },
    {
      name: "window of another size",
      code: "SHAPE",
      call: (d) => gaussianAccumulate(volume(d), undefined, volume(d), { offset, window: volume(d, 1, 1) }),
    },
    {
      name: "rank 1",
      code: "SHAPE",
      call: (d) => gaussianAccumulate(zeros([2], { device: d }), undefined, volume(d), { offset }),
    },
    {
      name: "offset beyond all bounds",
      code: "RANGE",
      call: (d) => gaussianAccumulate(volume(d), undefined, volume(d), { offset: [0, 2 ** 50, 0] }),
    },
    {
      name: "flip of 2",
      code: "RANGE",
      call: (d) =>
        launch("gaussian_accumulate", [volume(d), undefined, volume(d)], { offset, flip: [0, 2, 0] }),
    },
    {
      name: "normalise by a volume of another size",
      code: "SHAPE",
      call: (d) => gaussianNormalize(volume(d), volume(d, 1, 3)),
    },
  ],
};
