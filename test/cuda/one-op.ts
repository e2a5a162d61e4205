/**
 * The check of one op record in a process of its own, where a backend with a planted bug may do what it likes:
 *   node -r tsx/cjs test/cuda/one-op.ts conv3d
 * Exits with 3 when the kernels are wrong, saying how.
 */
import { join } from "node:path";
import type { OpRecord } from "../op-suite";
import * as checks from "../op-suite-checks";
import { schedules, steer } from "./control";

async function main(op: string): Promise<number> {
  const { record } = require(join(__dirname, "../ops/records", op)) as { record: OpRecord };
  const variants = schedules.slice(1, 3).map((s) => [JSON.stringify(s), () => steer(s)] as const);
  for (let i = 0; i < 3; i++) {
    const random = checks.stream(record.op, "planted", i);
    for (const sample of record.samples(random))
      try {
        await checks.matchesReference(record, random, sample, "cuda", variants);
      } catch (error) {
        console.log((error as Error).message.split("\n")[0]);
        return 3;
      }
  }
  return 0;
}

void main(process.argv[2] as string).then((code) => process.exit(code));
