/**
 * The check of one op record in a process of its own, where a backend with a planted bug may do what it likes:
 *   node -r tsx/cjs test/cuda/one-op.ts conv3d            float32 against the reference
 *   node -r tsx/cjs test/cuda/one-op.ts add bfloat16      16 bits against float32
 * Exits with 3 when the kernels are wrong, saying how.
 */
import { join } from "node:path";
import type { OpRecord } from "../op-suite";
import * as checks from "../op-suite-checks";
import { schedules, steer } from "./control";
import { type HalfType, matchesFloat32 } from "./half";

async function main(op: string, dtype?: HalfType): Promise<number> {
  const { record } = require(join(__dirname, "../ops/records", op)) as { record: OpRecord };
  const variants = schedules.slice(1, 3).map((s) => [JSON.stringify(s), () => steer(s)] as const);
  for (let i = 0; i < 3; i++) {
    const random = checks.stream(record.op, "planted", i);
    for (const sample of record
      .samples(random)
      .filter(({ name }) => !dtype || name !== "accumulate in place"))
      try {
        if (dtype) await matchesFloat32(random, sample, dtype, variants, op === "add" ? 3 : 1);
        else await checks.matchesReference(record, random, sample, "cuda", variants);
      } catch (error) {
        console.log((error as Error).message.split("\n")[0]);
        return 3;
      }
  }
  return 0;
}

void main(process.argv[2] as string, process.argv[3] as HalfType | undefined).then((code) =>
  process.exit(code),
);
