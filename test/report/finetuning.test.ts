/** The page of a fine-tuning run, from files as a run leaves them. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readNifti } from "../../lib/data/nifti";
import { writeNifti } from "../../lib/data/nifti-writer";
import { writePhantomDataset } from "../../lib/data/phantom-dataset";
import { evaluateFolders } from "../../lib/evaluation/folders";
import { type Summary, writeSummary } from "../../lib/evaluation/summary";
import { createFinetunePlan, planToJson } from "../../lib/plans/finetune";
import { extremeCases } from "../../lib/report/finetuning";
import { writeReport } from "../../lib/runs/report";
import { temporaryFolder } from "../data/temp";

const root = temporaryFolder();
const data = join(root, "data");
const run = join(root, "run");
const COUNT = 4;
const regions = [1, 2];

beforeAll(async () => {
  const options = {
    shape: [20, 24, 18] as [number, number, number],
    keep: ["ventricles", "whiteMatter"] as const,
  };
  for await (const _ of writePhantomDataset(data, COUNT, options)) {
    // to its end
  }
  const labels = { labels: { background: 0, "<b>ventricles</b>": 1, whiteMatter: 2 } };
  const plan = createFinetunePlan({ name: "heads", channels: ["T1"], labels }, "tiny");
  mkdirSync(run);
  writeFileSync(join(run, "plan.json"), planToJson(plan));
  const steps = Array.from({ length: 20 }, (_, i) => ({
    step: 10 * (i + 1),
    loss: 1 / (i + 1),
    lr: 0.01,
    seconds: 0.1,
  }));
  const validation = {
    step: 200,
    validationLoss: -0.5,
    validationDiceSmoothed: 0.6,
    "validationDice/whiteMatter": 0.7,
  };
  writeFileSync(
    join(run, "metrics.jsonl"),
    [...steps, validation].map((m) => `${JSON.stringify(m)}\n`).join(""),
  );
});

/** Predictions that are `shift` voxels off, one more a case. */
async function predict() {
  for (let i = 0; i < COUNT; i++) {
    const reference = await readNifti(join(data, "labelsTr", `head_00${i}.nii.gz`));
    const moved = Uint8Array.from(reference.data, (_, k) => reference.data[k + i] ?? 0);
    const { shape, geometry } = reference;
    await writeNifti(join(run, "validation", `head_00${i}.nii.gz`), {
      data: moved,
      shape,
      affine: [...geometry.affine],
    });
  }
  const steps = evaluateFolders(join(run, "validation"), join(data, "labelsTr"), { regions, tolerance: 1 });
  for (;;) {
    const next = await steps.next();
    if (next.done) return writeSummary(join(run, "validation", "summary.json"), next.value);
  }
}

async function report(cases?: number) {
  const steps = writeReport({ run, device: "cpu", cases });
  for (;;) {
    const next = await steps.next();
    if (next.done) return { ...next.value, page: readFileSync(next.value.file, "utf8") };
  }
}

test("before the evaluation the page says that there is none", async () => {
  const { page, missing } = await report();
  expect(missing).toEqual([expect.stringContaining("not evaluated (yet)")]);
  expect(page).toContain("finished, 200 steps");
  expect(page).toContain("There is no report of the transfer yet");
});

test("Dice of every case and class, best, median and worst case in three planes", async () => {
  await predict();
  writeFileSync(
    join(run, "transfer.json"),
    JSON.stringify({
      ...{ source: "<i>s3d</i>", step: 240, loaded: ["a", "b"], adapted: [], reinitialised: ["head"] },
      ...{ skipped: [{ name: "mask_tokens.0", why: "mask token" }], unexpected: [] },
    }),
  );
  const { page, missing } = await report();
  expect(missing).toEqual([]);
  expect(page.match(/<img src="data:image\/png;base64,/g)).toHaveLength(9);
  expect(page.match(/(best|median|worst) case: mean Dice/g)).toHaveLength(3);
  expect(page).toContain("best case: mean Dice 1.000");
  expect(page).toContain("mean surface Dice (NSD)");
  expect(page).toContain("mask_tokens.0 (mask token)");
  expect(page).toMatch(/class="outline" d="M/);
  expect(page).not.toMatch(/<b>ventricles|<i>s3d/);
  expect((await report(1)).page.match(/<img /g)).toHaveLength(3);
});

test.each(["{", "[]", '{"loaded": [], "skipped": [1]}'])(
  "a damaged transfer.json is told: %s",
  async (text) => {
    const file = join(run, "transfer.json");
    const before = readFileSync(file);
    writeFileSync(file, text);
    const { page, missing } = await report(0);
    writeFileSync(file, before);
    expect(missing).toEqual([expect.stringMatching(/transfer\.json is no report of a transfer: /)]);
    expect(page).toContain("There is no report of the transfer yet");
  },
);

test("absent images, predictions and a damaged summary are told", async () => {
  renameSync(join(data, "imagesTr"), join(data, "moved"));
  const { page, missing } = await report();
  expect(missing).toEqual([]);
  expect(page.match(/its image was not found/g)).toHaveLength(3);
  rmSync(join(run, "validation", "head_000.nii.gz"));
  expect((await report()).missing[0]).toContain("head_000.nii.gz");
  writeFileSync(join(run, "validation", "summary.json"), '{"metric_per_case": []}');
  expect((await report()).missing[0]).toMatch(/is no summary of an evaluation: metric_per_case/);
});

test("extreme cases of few", () => {
  const summary = (...dice: (number | null)[]) =>
    ({ metric_per_case: dice.map((Dice) => ({ metrics: { 1: { Dice } } })) }) as unknown as Summary;
  const chosen = (...dice: (number | null)[]) => extremeCases(summary(...dice)).map(({ index }) => index);
  expect(chosen()).toEqual([]);
  expect(chosen(null)).toEqual([]);
  expect(chosen(0.2, null)).toEqual([0]);
  expect(chosen(0.2, 0.3)).toEqual([1, 0]);
  expect(chosen(0.2, 0.9, 0.3, 0.8, 0.1)).toEqual([1, 2, 4]);
});
