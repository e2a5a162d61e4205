/** Every kernel of the CUDA backend, run by the emulator, against the float64 reference; samples of the op records. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { info } from "../../lib";
import type { OpRecord } from "../op-suite";
import * as checks from "../op-suite-checks";
import { forget, schedules, steer } from "./control";

const folder = join(__dirname, "../ops/records");
const records = readdirSync(folder).map((f) => (require(join(folder, f)) as { record: OpRecord }).record);

/** Kernels that nobody has written yet. */
const lacking = [
  "conv3d_forward",
  "conv3d_grad_input",
  "conv3d_grad_weight",
  "conv_transpose3d_forward",
  "conv_transpose3d_grad_input",
  "conv_transpose3d_grad_weight",
  "densify_forward",
  "densify_token_gradient",
  "dice_cross_entropy_backward",
  "dice_cross_entropy_forward",
  "gaussian_accumulate",
  "gaussian_normalize",
  "grad_norm",
  "label_counts",
  "masked_mse_backward",
  "masked_mse_forward",
  "masked_norm_backward",
  "masked_norm_forward",
  "resample_affine",
  "resample_affine_backward",
  "resample_separable",
  "resample_separable_backward",
  "sgd",
  "surface_dice",
];

afterAll(forget);

test("the emulated backend has one device and every kernel but those known to be missing", () => {
  expect(info().cuda).toMatchObject({ deviceCount: 1, devices: ["emulated device"], reason: "" });
  expect([...info().cuda.missingKernels].sort()).toEqual(lacking);
});

const ready = records.filter((r) => !r.kernels.some((k) => lacking.includes(k)));

test.each(ready.map((r) => [r.op, r] as const))(
  "%s equals the reference, with the same bits under every schedule",
  async (op, record) => {
    for (let i = 0; i < 3; i++) {
      const random = checks.stream(op, "cuda", i);
      for (const sample of record.samples(random))
        await checks.matchesReference(
          record,
          random,
          sample,
          "cuda",
          schedules.map((s) => [JSON.stringify(s), () => steer(s)]),
        );
    }
  },
);
