import { type DeviceName, zeros } from "../../../lib";
import { launch } from "../../../lib/launch";
import { type Region, regionAttributes } from "../../../lib/ops/regions";
import type { Random } from "../../../lib/random";
import { type OpRecord, type Sample, triple } from "../../op-suite";

function sample(
  shape: readonly number[],
  regions: readonly Region[],
  spacing: readonly number[],
  tolerance: number,
  ignore?: number,
): Sample {
  return {
    name: `${shape}, regions ${JSON.stringify(regions)}, spacing ${spacing}, tolerance ${tolerance}`,
    inputs: { prediction: { shape, draw: "integer" }, reference: { shape, draw: "integer" } },
    run: ({ prediction, reference }) => {
      const attributes = { ...regionAttributes(regions, ignore), spacing, tolerance };
      return launch("surface_dice", [prediction, reference], attributes);
    },
  };
}

const refused = (name: string, code: "RANGE" | "SHAPE", attributes: object, shape = [1, 1, 2, 2, 2]) => ({
  name,
  code,
  call: (device: DeviceName) =>
    launch("surface_dice", [zeros(shape, { device }), zeros(shape, { device })], {
      ...{ labels: [1], sizes: [1], spacing: [1, 1, 1], tolerance: 1 },
      ...attributes,
    }),
});

export const record: OpRecord = {
  op: "surface_dice",
  kernels: ["surface_dice"],
  gradient: "none",
  samples: (random: Random) => [
    sample([1, 1, ...triple(random, 1, 6)], [1, [1, 2], 7], [1, 1, 1], 0),
    sample([1, 1, ...triple(random, 1, 6)], [[1, 2]], [3, 0.8, 0.7], 1),
    sample([1, 1, ...triple(random, 1, 6)], [2, [0, 1]], [1, 1, 1], 2, 0),
    sample([1, 1, ...triple(random, 1, 6)], [1], [0.1, 0.1, 0.1], 0.3, 2),
  ],
  large: () => sample([1, 1, 48, 48, 48], [1, [1, 2]], [1, 1, 2], 1),
  errors: [
    refused("spacing 0", "RANGE", { spacing: [1, 0, 1] }),
    refused("two spacings", "SHAPE", { spacing: [1, 1] }),
    refused("negative tolerance", "RANGE", { tolerance: -1 }),
    refused("a tolerance far beyond the spacing", "RANGE", { tolerance: 1000 }),
    refused("two samples", "SHAPE", {}, [2, 1, 2, 2, 2]),
    refused("two channels", "SHAPE", {}, [1, 2, 2, 2, 2]),
    refused("no region", "RANGE", { labels: [], sizes: [] }),
  ],
};
