/** Held-out cases are read as the plan says, their label maps too. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { writeNifti } from "../../lib/data/nifti-writer";
import type { FinetunePlanInput } from "../../lib/plans/finetune";
import { evaluateHeldOut, type HeldOutEvent } from "../../lib/runs/held-out";
import type { PredictionModel } from "../../lib/runs/prediction";
import { failure, temporaryFolder } from "../data/temp";
import { tinyTuning } from "../finetune-fixtures";

const root = temporaryFolder();
const at = (name: string) => join(root, name);

/** A label map whose sform is 50 mm off its qform. */
async function writeLabels(path: string): Promise<void> {
  const affine = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
  await writeNifti(path, {
    data: Float32Array.from({ length: 24 }, (_, i) => i % 3),
    shape: [2, 3, 4],
    affine,
  });
  const bytes = readFileSync(path);
  bytes.writeFloatLE(bytes.readFloatLE(292) + 50, 292); // offset of the sform along x
  writeFileSync(path, bytes);
}

/** Evaluates a case that was predicted before, so that no network is asked. */
async function evaluated(preprocessing: FinetunePlanInput["preprocessing"]): Promise<HeldOutEvent[]> {
  const segmenter = { plan: tinyTuning({ preprocessing }) } as unknown as PredictionModel;
  const cases = [{ id: "a", files: [at("a_0000.nii")], label: at("a.nii") }];
  const events: HeldOutEvent[] = [];
  for await (const event of evaluateHeldOut({ segmenter, cases, out: at("validation"), device: "cpu" }))
    events.push(event);
  return events;
}

test("affines that disagree: the plan's choice holds for the references", async () => {
  mkdirSync(at("validation"));
  await writeLabels(at("a.nii"));
  await writeLabels(at("a_0000.nii"));
  await writeLabels(at("prediction.nii"));
  writeFileSync(join(at("validation"), "a.nii.gz"), gzipSync(readFileSync(at("prediction.nii"))));
  expect((await failure(() => evaluated({}))).message).toMatch(/Choose one with --geometry/);
  const last = (await evaluated({ geometry: "qform" })).at(-1);
  expect(last).toMatchObject({ type: "summary", summary: { foreground_mean: { Dice: 1 } } });
  expect(await evaluated({ geometry: "qform" })).toEqual([last]); // what is there is kept
  writeFileSync(join(at("validation"), "summary.json"), "{");
  const damaged = await failure(() => evaluated({ geometry: "qform" }));
  expect(damaged.code).toBe("ERR_VOXELSPARK_FORMAT");
  expect(damaged.message).toMatch(/summary\.json is no summary of an evaluation/);
});
