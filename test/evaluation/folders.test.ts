import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { evaluateFolders, type FolderOptions, writeNifti, writeSummary } from "../../lib";
import { failure, temporaryFolder } from "../data/temp";

const folder = temporaryFolder();
const shape = [2, 3, 4] as const;
const affine = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1];
type Files = Record<
  string,
  { labels?: number[]; shape?: readonly [number, number, number]; affine?: number[] }
>;

let made = 0;
/** A new folder of label volumes; labels are the first voxels of each. */
async function write(files: Files): Promise<string> {
  const path = join(folder, `set${made++}`);
  mkdirSync(path);
  for (const [name, file] of Object.entries(files)) {
    const size = file.shape ?? shape;
    const data = new Float32Array(size[0] * size[1] * size[2]);
    data.set(file.labels ?? []);
    await writeNifti(join(path, name), { data, shape: size, affine: file.affine ?? affine });
  }
  return path;
}

async function evaluate(
  predictions: string | string[],
  reference: string,
  options: Partial<FolderOptions> = {},
) {
  const generator = evaluateFolders(predictions, reference, { regions: [1, 2], ...options });
  const ids: string[] = [];
  for (;;) {
    const step = await generator.next();
    if (step.done) return { ids, summary: step.value };
    ids.push(step.value.id);
  }
}

test("affines that disagree are refused; a choice of one ends that", async () => {
  const reference = await write({ "a.nii": { labels: [1, 2] } });
  const prediction = await write({ "a.nii": { labels: [1, 2] } });
  const file = join(prediction, "a.nii");
  const bytes = readFileSync(file);
  bytes.writeFloatLE(bytes.readFloatLE(292) + 50, 292); // offset of the sform along x
  writeFileSync(file, bytes);
  expect((await failure(() => evaluate(prediction, reference))).message).toMatch(
    /Choose one with --geometry/,
  );
  const { summary } = await evaluate(prediction, reference, { geometry: "qform" });
  expect(summary.foreground_mean.Dice).toBe(1);
});

test("two folders give nnU-Net's summary.json", async () => {
  const prediction = await write({ "b.nii": { labels: [1, 1, 0] }, "a.nii.gz": { labels: [1, 2, 2] } });
  const reference = await write({ "a.nii.gz": { labels: [1, 1, 2] }, "b.nii.gz": {} });
  const { ids, summary } = await evaluate(prediction, reference, { regions: [1, 2, [1, 2]], tolerance: 1 });
  expect(ids).toEqual(["a", "b"]);
  const path = join(folder, "out", "summary.json");
  await writeSummary(path, summary);
  const text = readFileSync(path, "utf8");
  expect(text).not.toMatch(/NaN|Infinity/);
  expect([...text.matchAll(/^ {4}"(\w+)"/gm)].map(([, key]) => key)).toEqual([
    "foreground_mean",
    "mean",
    "metric_per_case",
  ]);
  const { foreground_mean, mean, metric_per_case } = JSON.parse(text);
  expect(Object.keys(metric_per_case[0]).sort()).toEqual(["metrics", "prediction_file", "reference_file"]);
  expect(metric_per_case[1]).toMatchObject({
    prediction_file: join(prediction, "b.nii"),
    reference_file: join(reference, "b.nii.gz"),
    metrics: {
      "1": { Dice: 0, FN: 0, FP: 2, IoU: 0, NSD: 0, TN: 22, TP: 0, n_pred: 2, n_ref: 0 },
      "2": { Dice: null, IoU: null, NSD: null, TN: 24 },
      "(1, 2)": { Dice: 0 },
    },
  });
  expect(mean["1"].Dice).toBe(1 / 3);
  expect(mean["2"].Dice).toBe(2 / 3); // of one case
  expect(mean["(1, 2)"].Dice).toBe(0.5);
  expect(foreground_mean.Dice).toBeCloseTo(0.5, 15);
  expect(metric_per_case[0].metrics["(1, 2)"]).toMatchObject({ Dice: 1, NSD: 1 });
});

test("folds are pooled over cases, not folds; a case in two folds is an error", async () => {
  const labels = [1, 2];
  const reference = await write({ "a.nii": { labels }, "b.nii": { labels }, "c.nii": { labels } });
  const first = await write({ "a.nii": { labels }, "b.nii": { labels } });
  const second = await write({ "c.nii": { labels: [0, 2] } });
  const { summary } = await evaluate([first, second], reference);
  expect(summary.metric_per_case.length).toBe(3);
  expect(summary.mean["1"]!.Dice).toBe(2 / 3);
  const third = await write({ "c.nii": {}, "a.nii.gz": {} });
  const { code, message } = await failure(() => evaluate([first, second, third], reference));
  expect(code).toBe("ERR_VOXELSPARK_DATA");
  expect(message).toBe(
    `2 cases are predicted more than once: a (${first}/a.nii and ${third}/a.nii.gz), c (${second}/c.nii and ${third}/c.nii).`,
  );
});

test("the cases of a fold are enough when they are named", async () => {
  const reference = await write({ "a.nii": {}, "b.nii": { labels: [1] }, "c.nii": {} });
  const prediction = await write({ "b.nii": { labels: [1] } });
  const { summary } = await evaluate(prediction, reference, { cases: ["b"] });
  expect(summary.mean["1"]!.Dice).toBe(1);
});

describe("faults", () => {
  const shifted = [...affine];
  shifted[3] = 0.5;
  const thick = [...affine];
  thick[10] = 2.1;

  test("everything missing and unmatched is listed at once", async () => {
    const reference = await write({ "a.nii": {}, "b.nii": {}, "c.nii": {} });
    const prediction = await write({ "b.nii": {}, "d.nii": {}, "e.nii": {} });
    expect(await failure(() => evaluate(prediction, reference))).toEqual({
      code: "ERR_VOXELSPARK_DATA",
      message:
        `${prediction} against ${reference}: 2 cases have no prediction: a, c; ` +
        "2 predictions belong to none of the cases: d, e.",
    });
    const { message } = await failure(() => evaluate(prediction, reference, { cases: ["b", "d", "x"] }));
    expect(message).toMatch(
      /2 cases have no reference: d, x; 1 cases have no prediction: x; 1 predictions .*: e\./,
    );
  });

  test("one name in two files, an empty folder, no folder", async () => {
    const reference = await write({ "a.nii": {} });
    const twice = await write({ "a.nii": {}, "a.nii.gz": {} });
    expect((await failure(() => evaluate(twice, reference))).message).toMatch(/case names are used twice/);
    const empty = await write({});
    expect((await failure(() => evaluate(empty, reference))).code).toBe("ERR_VOXELSPARK_EMPTY");
    expect((await failure(() => evaluate(join(folder, "none"), reference))).code).toBe("ERR_VOXELSPARK_IO");
  });

  test("pairs on different grids: one keeps its error, several are listed", async () => {
    const reference = await write({ "a.nii": {}, "b.nii": {}, "c.nii": {} });
    const one = await write({ "a.nii": {}, "b.nii": { affine: shifted }, "c.nii": {} });
    const single = await failure(() => evaluate(one, reference));
    expect(single.code).toBe("ERR_VOXELSPARK_GEOMETRY");
    expect(single.message).toMatch(/origins .* 0\.500 voxels apart, allowed is 0\.1/);
    const three = await write({
      "a.nii": { shape: [2, 3, 5] },
      "b.nii": { affine: thick },
      "c.nii": { affine: shifted },
    });
    const { code, message } = await failure(() => evaluate(three, reference));
    expect(code).toBe("ERR_VOXELSPARK_GEOMETRY");
    expect(message).toMatch(/^3 of 3 cases cannot be compared:/);
    expect(message).toMatch(/shapes differ: \(2,3,5\) and \(2,3,4\)/);
    expect(message).toMatch(/spacings differ: \[1,1,2\.0999/);
    expect(message).toMatch(/origins/);
  });

  test("a damaged file beside a wrong grid", async () => {
    const reference = await write({ "a.nii": {}, "b.nii": {} });
    const prediction = await write({ "a.nii": { affine: shifted } });
    writeFileSync(join(prediction, "b.nii"), "no image");
    const { code, message } = await failure(() => evaluate(prediction, reference));
    expect(code).toBe("ERR_VOXELSPARK_DATA");
    expect(message).toMatch(/2 of 2 cases cannot be compared:[\s\S]*origins[\s\S]*b\.nii/);
  });

  test("labels that are none, and labels that are not allowed", async () => {
    const reference = await write({ "a.nii": { labels: [1, 2, 3, 3] } });
    for (const bad of [1.00001, -1]) {
      const prediction = await write({ "a.nii": { labels: [1, bad] } });
      const { code, message } = await failure(() => evaluate(prediction, reference));
      expect(code).toBe("ERR_VOXELSPARK_DATA");
      expect(message).toMatch(/a\.nii: 1 voxels of the prediction are no labels/);
    }
    const broken = await write({ "a.nii": { labels: [1, Number.NaN] } });
    const { code, message } = await failure(() => evaluate(broken, reference));
    expect(code).toBe("ERR_VOXELSPARK_NON_FINITE");
    expect(message).toMatch(/1 of 24 voxels are NaN.* Repair the label map: labels are whole numbers\.$/);
    const prediction = await write({ "a.nii": { labels: [1, 7, 7, 9] } });
    const options = { labels: [0, 1, 2, 3], ignore: 3 };
    expect((await failure(() => evaluate(prediction, reference, options))).message).toBe(
      `${prediction}/a.nii: labels 7 (2 voxels), 9 (1 voxels) were found, allowed are 0, 1, 2.`,
    );
    expect((await failure(() => evaluate(reference, reference, options))).message).toMatch(
      /labels 3 \(2 voxels\)/,
    );
    const fine = await write({ "a.nii": { labels: [1, 2, 1, 0] } });
    const { summary } = await evaluate(fine, reference, options);
    expect(summary.mean["1"]).toMatchObject({ Dice: 1, FP: 0, TN: 21 }); // ignored voxels count nowhere
  });

  test("a set without any foreground has no Dice", async () => {
    const empty = await write({ "a.nii": {}, "b.nii": {} });
    const { summary } = await evaluate(empty, empty, { tolerance: 1 });
    expect(summary.foreground_mean).toMatchObject({ Dice: null, IoU: null, NSD: null, TP: 0, n_ref: 0 });
  });
});
