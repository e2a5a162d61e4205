/** Every kernel of the CUDA backend, run by the emulator, against the float64 reference; samples of the op records. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { info } from "../../lib";
import type { OpRecord } from "../op-suite";
import * as checks from "../op-suite-checks";
import { forget, schedules, steer } from "./control";

const folder = join(__dirname, "../ops/records");
const records = readdirSync(folder).map((f) => (require(join(folder, f)) as { record: OpRecord }).record);

/** Ops whose every kernel is there: what is written stays written. */
const ready = [
  "add",
  "apply_mask",
  "avg_pool3d",
  "cast",
  "concat",
  "conv3d",
  "conv_transpose3d",
  "densify",
  "dice_cross_entropy",
  "folded_conv3d",
  "gaussian_accumulate",
  "gaussian_blur",
  "gaussian_noise",
  "grad_norm and sgd",
  "intensity",
  "label_counts",
  "leaky_relu",
  "masked_mse",
  "masked_norm",
  "mirror",
  "resample",
  "resample_labels",
  "residual",
  "scale",
  "surface_dice",
  "token_affine",
];

afterAll(forget);

test("the emulated backend has one device and all kernels", () => {
  const { deviceCount, devices, reason, missingKernels } = info().cuda;
  expect({ deviceCount, devices, reason }).toEqual({
    deviceCount: 1,
    devices: ["emulated device"],
    reason: "",
  });
  const complete = records.filter((r) => !r.kernels.some((k) => missingKernels.includes(k)));
  expect(complete.map((r) => r.op).sort()).toEqual(ready);
});

test.each(records.filter((r) => ready.includes(r.op)).map((r) => [r.op, r] as const))(
  "%s equals the reference, with the same bits under every schedule",
  async (op, record) => {
    for (let i = 0; i < 3; i++) {
      const random = checks.stream(op, "cuda", i);
      const variants = schedules.map((s) => [JSON.stringify(s), () => steer(s)] as const);
      for (const sample of record.samples(random))
        await checks.matchesReference(record, random, sample, "cuda", variants);
    }
  },
);
