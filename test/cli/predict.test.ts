/** predict and evaluate as a user types them, with an untrained network on small heads. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readNifti, writeNifti } from "../../lib";
import { phantom } from "../../lib/data/phantoms";
import { buildSegmenter } from "../../lib/recipes/segmenter";
import { saveWeights } from "../../lib/runs/train-state";
import { temporaryFolder } from "../data/temp";
import { tinyTuning } from "../finetune-fixtures";
import { cli, jsonOf } from "./cli";

jest.setTimeout(120_000);
const root = temporaryFolder();
const at = (...parts: string[]) => join(root, ...parts);
const names = ["a", "b"];

/** A run of fold `fold`, untrained. */
async function run(fold: number): Promise<void> {
  const plan = tinyTuning({ seed: fold, preprocessing: { spacing: [8, 8, 8] } });
  using model = buildSegmenter(plan, "cpu");
  await saveWeights(at("model", `fold_${fold}`, "final"), plan, { model, step: 8 }, "test");
}

beforeAll(async () => {
  for (const fold of [0, 1]) await run(fold);
  for (const [i, name] of names.entries()) {
    const { image, labels, shape, affine } = phantom(i, { shape: [20, 22, 18], seed: 1 });
    await writeNifti(at("imagesTs", `${name}_0000.nii.gz`), { data: image, shape, affine });
    const data = labels.map((v) => Math.min(v, 2));
    await writeNifti(at("labelsTs", `${name}.nii.gz`), { data, shape, affine });
  }
  const labels = { background: 0, ball: 1, core: 2 };
  const dataset = { channel_names: { 0: "T1" }, labels, numTraining: 0, file_ending: ".nii.gz" };
  writeFileSync(at("dataset.json"), JSON.stringify(dataset));
});

test("folds predict a folder, evaluate writes summary.json beside the label maps", async () => {
  const predicted = await cli(
    ...["predict", "-i", at("imagesTs"), "-o", at("out"), "-m", at("model"), "-f", "0", "1"],
    ...["--step_size", "0.7", "--save_probabilities", "--device", "cpu", "--json"],
  );
  expect(predicted).toMatchObject({ code: 0 });
  expect(predicted.stderr).toMatch(/2 cases, an ensemble of 2 models/);
  expect(predicted.stderr).not.toContain("\r");
  expect(jsonOf(predicted)).toMatchObject({ done: 2, current: 0, failed: 0, reason: "finished" });
  expect(readdirSync(at("out")).sort()).toEqual(["a.nii.gz", "a.npy", "b.nii.gz", "b.npy"]);
  const [image, labels] = [
    await readNifti(at("imagesTs", "a_0000.nii.gz")),
    await readNifti(at("out", "a.nii.gz")),
  ];
  expect(labels.header.srow).toEqual(image.header.srow);
  expect(labels.shape).toEqual(image.shape);

  const evaluated = await cli("evaluate", "-r", at("labelsTs"), "-p", at("out"), "--json");
  expect(evaluated).toMatchObject({ code: 0 });
  const text = readFileSync(at("out", "summary.json"), "utf8");
  expect(text).not.toMatch(/NaN|Infinity/);
  const { foreground_mean, mean, metric_per_case } = JSON.parse(text);
  expect(Object.keys(mean)).toEqual(["1", "2"]);
  expect(Object.keys(foreground_mean).sort()).toEqual(
    ["Dice", "FN", "FP", "IoU", "NSD", "TN", "TP", "n_pred", "n_ref"].sort(),
  );
  expect(metric_per_case.length).toBe(2);
  expect(jsonOf(evaluated)).toMatchObject({ cases: 2, foreground_mean, mean });
  expect(evaluated.stderr).toMatch(/core \(2\) +0\.\d{4}/);
});

test("runs of two folds are pooled; a subset of the references is evaluated on request", async () => {
  for (const [fold, name] of names.entries()) {
    mkdirSync(at(`run${fold}`, "validation"), { recursive: true });
    writeFileSync(at(`run${fold}`, "plan.json"), "{}");
    copyFileSync(at("labelsTs", `${name}.nii.gz`), at(`run${fold}`, "validation", `${name}.nii.gz`));
  }
  const [pooled, one] = await Promise.all([
    cli("evaluate", "--gt", at("labelsTs"), "-p", at("run0"), at("run1"), "-o", at("cv.json"), "--nsd", "0"),
    cli("evaluate", "--gt", at("labelsTs"), "-p", at("run0"), "--chill", "-l", "1", "1,2"),
  ]);
  expect(pooled).toMatchObject({ code: 0 });
  const { foreground_mean, metric_per_case } = JSON.parse(readFileSync(at("cv.json"), "utf8"));
  expect(metric_per_case.length).toBe(2);
  expect(foreground_mean).toMatchObject({ Dice: 1, FP: 0 });
  expect(foreground_mean).not.toHaveProperty("NSD");
  expect(one).toMatchObject({ code: 0 });
  expect(
    Object.keys(JSON.parse(readFileSync(at("run0", "validation", "summary.json"), "utf8")).mean),
  ).toEqual(["1", "(1, 2)"]);
});

test("what cannot work is said, with the exit code of the conventions", async () => {
  mkdirSync(at("bad"), { recursive: true });
  writeFileSync(at("bad", "x_0000.nii.gz"), "none");
  const model = ["-m", at("model", "fold_0"), "--device", "cpu"];
  const [broken, step, half] = await Promise.all([
    cli("predict", "-i", at("bad"), "-o", at("bad-out"), ...model, "--json"),
    cli("predict", "-i", at("imagesTs"), "-o", at("bad-out"), ...model, "--step-size", "1.5"),
    cli("predict", "-i", at("imagesTs"), "-o", at("bad-out"), ...model, "--precision", "fp16"),
  ]);
  expect(broken).toMatchObject({ code: 1 });
  expect(jsonOf(broken)).toMatchObject({ done: 0, failed: 1, failures: [{ case: "x" }] });
  expect(step).toMatchObject({ code: 2 });
  expect(half).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/precision fp16 needs device 'cuda'/),
  });
  expect(existsSync(at("bad-out"))).toBe(false);

  // Said before the cases are counted: the output is looked at first.
  const folder = await cli("evaluate", "-r", at("labelsTs"), "-p", at("run0"), "-o", at("bad"));
  expect(folder).toMatchObject({ code: 1, stderr: expect.stringMatching(/bad: EISDIR\. It is a folder/) });
  expect(folder.stderr).not.toMatch(/2 of 2|references have no prediction/);
});
