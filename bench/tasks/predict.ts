/**
 * Sliding-window prediction of a 160 × 192 × 160 head, from its NIfTI file to the label map in memory, with an untrained
 * network of the tiny preset (three classes): the plan's half overlapping windows, without and with mirroring along x.
 * Beside it what it is made of: the network alone on as many windows.
 *
 *   npm run bench -- predict --rounds 3
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { resetPeak, scope, stats, sync, writeNifti, zeros } from "../../lib";
import { phantom } from "../../lib/data/phantoms";
import { windowStarts } from "../../lib/inference/window";
import { createFinetunePlan } from "../../lib/plans/finetune";
import { buildSegmenter } from "../../lib/recipes/segmenter";
import { predictCase } from "../../lib/runs/prediction";
import type { Bench } from "../harness";

const SHAPE: [number, number, number] = [160, 192, 160];

export default async function predict(bench: Bench): Promise<void> {
  const labels = { labels: { background: 0, fluid: 1, matter: 2 } };
  const plan = createFinetunePlan({ channels: ["T1"], labels }, "tiny");
  const folder = await mkdtemp(join(tmpdir(), "voxelspark-bench-"));
  using model = buildSegmenter(plan, "cpu");
  try {
    const file = join(folder, "head.nii");
    const { image, affine } = phantom(0, { shape: SHAPE, spacing: 1 });
    // Two opposite corners, so that nothing is cropped away.
    image[0] = 1;
    image[image.length - 1] = 1;
    await writeNifti(file, { data: image, shape: SHAPE, affine });
    const windows = SHAPE.map((n, a) => windowStarts(n, plan.patch[a]!).length).reduce((a, b) => a * b, 1);
    const timed = async (work: () => Promise<unknown>) => {
      const began = performance.now();
      await work();
      return (performance.now() - began) / 1000;
    };
    const forward = async () => {
      for (let i = 0; i < windows; i++) {
        scope(() => void model.forward(zeros([1, 1, ...plan.patch])));
        await sync();
      }
    };
    const run = (mirroring: readonly (0 | 1 | 2)[]) => () =>
      timed(() => predictCase([{ model, plan }], [file], { mirroring }));
    resetPeak("cpu");
    const before = stats("cpu").liveBytes;
    await run([])();
    const peak = (stats("cpu").peakBytes - before) / 2 ** 20;
    await bench.compare(
      `${SHAPE.join(" × ")}, ${windows} windows of ${plan.patch.join(" × ")}, peak ${peak.toFixed(0)} MiB`,
      [
        { name: "the network alone on as many windows", run: () => timed(forward) },
        { name: "prediction", run: run([]) },
        { name: "prediction, mirrored along x", run: run([2]) },
      ],
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
