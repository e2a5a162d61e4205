/** Whole steps twice from the same start: losses and every weight must have the same bits. */
import { createHash } from "node:crypto";
import type { S3D } from "../../../lib";
import { trainSteps } from "../model";
import { type Part, requireGpu } from "../part";
import { type Precision, planPrecisions } from "../precisions";

async function digest(precision: Precision): Promise<string> {
  const sum = createHash("sha256");
  const seen = async (model: S3D) => {
    for (const [name, t] of model.state()) {
      const { buffer, byteOffset, byteLength } = await t.data();
      sum.update(name).update(new Uint8Array(buffer, byteOffset, byteLength));
    }
  };
  const losses = await trainSteps("cuda", precision, { steps: 4, seen });
  return sum.update(losses.join()).digest("hex");
}

export default async function repeat(part: Part): Promise<void> {
  requireGpu();
  for (const precision of planPrecisions())
    await part.attempt(`${precision}, repeated`, async () => {
      const [first, second] = [await digest(precision), await digest(precision)];
      part.check(
        `${precision}: four steps twice, the same bits`,
        first === second,
        `${first.slice(0, 12)} and ${second.slice(0, 12)}`,
      );
    });
}
