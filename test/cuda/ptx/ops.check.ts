/** Every kernel's PTX against the float64 reference, and 16 bits against float32; samples of the op records. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { info } from "../../../lib";
import type { OpRecord } from "../../op-suite";
import * as checks from "../../op-suite-checks";
import { forget, type Steering, steer } from "../control";

const folder = join(__dirname, "../../ops/records");
const records = readdirSync(folder).map((f) => (require(join(folder, f)) as { record: OpRecord }).record);
const schedules: readonly Steering[] = [{ order: "ascending" }, { order: "drawn", seed: 2, late: "both" }];
const variants = schedules.map((s) => [JSON.stringify(s), () => steer(s)] as const);

afterAll(forget);

test("the backend has one device and all kernels", () => {
  const { deviceCount, devices, reason, missingKernels } = info().cuda;
  expect(process.env.VOXELSPARK_CUDA_LIBRARY).toMatch(/ptx.backend\.so$/); // not the emulator's
  expect({ deviceCount, devices, reason }).toEqual({
    deviceCount: 1,
    devices: ["emulated device"],
    reason: "",
  });
  expect(missingKernels).toEqual([]);
});

test.each(records.map((r) => [r.op, r] as const))("%s equals the reference", async (op, record) => {
  const random = checks.stream(op, "ptx", 0);
  for (const sample of record.samples(random))
    await checks.matchesReference(record, random, sample, "cuda", variants);
});
