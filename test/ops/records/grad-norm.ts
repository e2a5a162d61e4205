import { type DeviceName, gradNorm, type Tensor, zeros } from "../../../lib";
import type { SgdStepOptions } from "../../../lib/ops/sgd";
import { sgd } from "../../../lib/ops/sgd";
import type { OpRecord, Sample } from "../../op-suite";

const options: SgdStepOptions = { lr: 0.1, momentum: 0.9, weightDecay: 0.01, clip: 2, nesterov: true };
const shapes: number[][] = [[5, 3, 3, 3, 3], [7], [1, 2, 1, 1, 1]];

/** Two parameters' roles one after another, as the kernel takes them. */
function step(name: string, list: number[][], changes: Partial<SgdStepOptions>): Sample {
  const all = { ...options, ...changes };
  const roles = all.momentum > 0 ? ["w", "g", "v"] : ["w", "g"];
  return {
    name,
    inputs: Object.fromEntries(
      roles.flatMap((role) => list.map((shape, i) => [`${role}${i}`, { shape, constant: true }] as const)),
    ),
    run: (named) => {
      const [w, g, v] = ["w", "g", "v"].map((r) =>
        Object.entries(named).flatMap(([k, t]) => (k.startsWith(r) ? t : [])),
      ) as [Tensor[], Tensor[], Tensor[]];
      const norm = gradNorm(g, all.gradientScale);
      sgd(w, g, v, norm, all);
      return [...w, ...v, norm];
    },
  };
}

const one = (device: DeviceName, n = 2) => zeros([n], { device });
const refused = (name: string, code: "TYPE" | "RANGE" | "SHAPE", call: (device: DeviceName) => void) => ({
  name,
  code,
  call,
});

export const record: OpRecord = {
  op: "grad_norm and sgd",
  kernels: ["grad_norm", "sgd"],
  gradient: "none",
  samples: () => [
    step("clipped Nesterov", shapes, {}),
    step("no clip", shapes, { clip: 0 }),
    step("of a loss that was multiplied", shapes, { gradientScale: 7 }),
    step("heavy ball", shapes, { nesterov: false }),
    step("plain", shapes, { momentum: 0, nesterov: false, weightDecay: 0 }),
  ],
  large: () => step("large", [[40, 33, 3, 3, 3], [65537], [1]], {}),
  errors: [
    refused("no tensor", "TYPE", () => gradNorm([])),
    refused("lr below 0", "RANGE", (d) =>
      sgd([one(d)], [one(d)], [one(d)], one(d, 1), { ...options, lr: -1 }),
    ),
    refused("momentum 1", "RANGE", (d) =>
      sgd([one(d)], [one(d)], [one(d)], one(d, 1), { ...options, momentum: 1 }),
    ),
    refused("gradientScale 0", "RANGE", (d) => gradNorm([one(d)], 0)),
    refused("gradientScale below 0", "RANGE", (d) =>
      sgd([one(d)], [one(d)], [one(d)], one(d, 1), { ...options, gradientScale: -1 }),
    ),
    refused("clip without norm", "TYPE", (d) => sgd([one(d)], [one(d)], [one(d)], undefined, options)),
    refused("norm is no scalar", "SHAPE", (d) => sgd([one(d)], [one(d)], [one(d)], one(d, 2), options)),
    refused("momentum missing", "SHAPE", (d) => sgd([one(d)], [one(d)], [], one(d, 1), options)),
    refused("gradient of another shape", "SHAPE", (d) =>
      sgd([one(d)], [one(d, 3)], [one(d)], one(d, 1), options),
    ),
  ],
};
