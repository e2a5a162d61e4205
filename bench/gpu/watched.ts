/** What a sanitizer or the profiler watches, in a process of its own: `main.ts watched suite | kernels`. */
import { scope, sync } from "../../lib";
import { rng } from "../../lib/random";
import { drawValues, runSample } from "../../test/op-suite";
import { operands, paperLayers, smallLayers } from "./layers";
import { trainSteps } from "./model";
import { dry } from "./part";
import { kernelPrecisions, planPrecisions } from "./precisions";
import { loadRecords, present } from "./stages/correct";

/** Each op once at small sizes, gradients included, and a step in each precision. */
async function suite(): Promise<void> {
  for (const record of present(loadRecords()).has) {
    const random = rng(11, 0, "test");
    for (const sample of record.samples(random).slice(0, 2)) {
      const ones = (shape: readonly number[]) => new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1);
      const upstream = record.gradient === "none" ? undefined : ones;
      await runSample(sample, drawValues(random, sample), { device: "cuda", upstream });
    }
  }
  for (const precision of planPrecisions()) await trainSteps("cuda", precision, { steps: 1 });
}

/** The convolution that costs most, three quarters masked, forward and both gradients. */
async function kernels(): Promise<void> {
  const layer = (dry ? smallLayers : paperLayers)[0]!;
  const { runs, free } = operands(layer, kernelPrecisions().includes("bf16") ? "bf16" : "fp32", 0.75);
  for (const run of Object.values(runs)) scope(() => void run());
  await sync();
  free();
}

export async function watched(what: string): Promise<number> {
  await (what === "suite" ? suite() : kernels());
  await sync();
  return 0;
}
