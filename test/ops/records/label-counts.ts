import { type DeviceName, zeros } from "../../../lib";
import { launch } from "../../../lib/launch";
import { type Region, regionAttributes } from "../../../lib/ops/regions";
import type { Random } from "../../../lib/random";
import { type OpRecord, type Sample, triple } from "../../op-suite";

/** Labels are -2 … 2: two of them are none. */
function sample(shape: readonly number[], regions: readonly Region[], ignore?: number): Sample {
  return {
    name: `${shape}, regions ${JSON.stringify(regions)}, ignore ${ignore}`,
    inputs: { prediction: { shape, draw: "integer" }, reference: { shape, draw: "integer" } },
    run: ({ prediction, reference }) =>
      launch("label_counts", [prediction, reference], regionAttributes(regions, ignore)),
  };
}

const volume = (device: DeviceName, channels = 1) => zeros([1, channels, 2, 2, 2], { device });
const refused = (name: string, code: "RANGE" | "SHAPE", attributes: object) => ({
  name,
  code,
  call: (d: DeviceName) =>
    launch("label_counts", [volume(d), volume(d)], { labels: [1], sizes: [1], ignore: [], ...attributes }),
});

export const record: OpRecord = {
  op: "label_counts",
  kernels: ["label_counts"],
  gradient: "none",
  tolerance: 0,
  samples: (random: Random) => [
    sample([1, 1, ...triple(random, 1, 9)], [1, 2]),
    sample([2, 1, ...triple(random, 1, 9)], [[1, 2], 1, [0, 2]], 0),
    sample([1, 1, ...triple(random, 1, 9)], [0, 65535, [2, 2]], 2),
    sample([1, 1, ...triple(random, 20, 30)], [1], 1),
  ],
  large: () => sample([1, 1, 96, 96, 96], [1, 2, [1, 2]], 0),
  errors: [
    refused("no region", "RANGE", { labels: [], sizes: [] }),
    refused("a region without labels", "RANGE", { labels: [], sizes: [0] }),
    refused("sizes that do not add up", "SHAPE", { sizes: [2] }),
    refused("a negative label", "RANGE", { labels: [-1] }),
    refused("a fractional label", "RANGE", { labels: [0.5] }),
    refused("two ignore labels", "SHAPE", { ignore: [2, 3] }),
    refused("a label too large", "RANGE", { ignore: [65536] }),
    {
      name: "two channels",
      code: "SHAPE",
      call: (d) => launch("label_counts", [volume(d, 2), volume(d, 2)], { labels: [1], sizes: [1] }),
    },
    {
      name: "shapes differ",
      code: "SHAPE",
      call: (d) =>
        launch("label_counts", [volume(d), zeros([1, 1, 2, 2, 3], { device: d })], {
          labels: [1],
          sizes: [1],
        }),
    },
  ],
};
