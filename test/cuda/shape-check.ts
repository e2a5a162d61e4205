/** One kernel of the emulated device against the reference, on a shape that the op records leave out. */
import type { Random } from "../../lib/random";
import type { OpRecord, Sample } from "../op-suite";
import * as checks from "../op-suite-checks";
import { schedules, steer } from "./control";

/** What a comparison goes by. */
export const judged = (gradient: OpRecord["gradient"] = "linear", tolerance = 2e-6): OpRecord => ({
  op: "shapes",
  kernels: [],
  samples: () => [],
  large: () => {
    throw new Error("not used");
  },
  errors: [],
  gradient,
  tolerance,
});

/** Draws a sample and compares it under two schedules; a failure names what reproduces it. */
export async function check(
  title: string,
  record: OpRecord,
  draw: (random: Random) => Sample,
): Promise<void> {
  const random = checks.stream("cuda", title);
  const variants = schedules.slice(1, 3).map((s) => [JSON.stringify(s), () => steer(s)] as const);
  await checks.reproducible(title, () =>
    checks.matchesReference(record, random, draw(random), "cuda", variants),
  );
}
