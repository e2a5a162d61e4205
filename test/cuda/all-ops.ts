/**
 * Each sample of op records once, gradients included, for who watches the process: a sanitizer.
 *   node -r tsx/cjs test/cuda/all-ops.ts conv3d add …
 * Leaves out ops that the backend does not have, and 16 bits where an op has none.
 */
import { join } from "node:path";
import { type DType, info } from "../../lib";
import { drawArray, drawValues, type OpRecord, runSample } from "../op-suite";
import { stream } from "../op-suite-checks";
import { isParameter, types } from "./half";

async function run(op: string): Promise<void> {
  const { record } = require(join(__dirname, "../ops/records", op)) as { record: OpRecord };
  if (record.kernels.some((kernel) => info().cuda.missingKernels.includes(kernel))) return;
  for (const dtype of [undefined, ...types]) {
    const random = stream(op, "watched");
    for (const sample of record.samples(random)) {
      const values = drawValues(random, sample);
      const upstream =
        record.gradient === "none" ? undefined : (shape: readonly number[]) => drawArray(random, shape);
      try {
        await runSample(sample, values, {
          device: "cuda",
          upstream,
          ...(dtype && { dtypeOf: (name: string): DType => (isParameter(name) ? "float32" : dtype) }),
        });
      } catch (error) {
        const { code = "" } = error as { code?: string };
        if (!dtype || !/^ERR_VOXELSPARK_(DEVICE|TYPE)$/.test(code)) throw error;
      }
    }
  }
}

async function main(ops: readonly string[]): Promise<void> {
  const { deviceCount, reason } = info().cuda;
  if (!deviceCount) throw new Error(reason); // or all ops would be left out
  for (const op of ops) await run(op);
}

void main(process.argv.slice(2)).then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
