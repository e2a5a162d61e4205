import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StoredCase } from "../../lib/data/case-store";
import { readDataset } from "../../lib/data/dataset-json";
import { type LabelledBatch, type LabelledOptions, openLabelled } from "../../lib/data/labelled";
import { datasetFold, prepareLabelled } from "../../lib/data/labelled-dataset";
import { isForeground } from "../../lib/data/labelled-samples";
import {
  MIRROR_AUGMENTATION,
  NNUNET_AUGMENTATION,
  NO_AUGMENTATION,
} from "../../lib/data/segmentation-augment";
import { kFolds } from "../../lib/data/splits";
import type { LabelScheme } from "../../lib/labels";
import { openLabelledCases } from "../../lib/runs/labelled-cases";
import { tinyTuning } from "../finetune-fixtures";
import { LABELS, makeDataset, writeCaseFiles, writeDatasetJson } from "./made-dataset";
import { failure, temporaryFolder } from "./temp";

const root = temporaryFolder();
const raw = join(root, "raw");
const folder = join(root, "cases");
const seed = Date.now();
const PATCH = [12, 16, 10] as const;
const VOXELS = PATCH[0] * PATCH[1] * PATCH[2];
let labels: LabelScheme;
let base: LabelledOptions;

beforeAll(async () => {
  await makeDataset(raw, 5, 2, seed);
  const dataset = await readDataset(raw);
  labels = dataset.labels;
  // Values are kept as they are, so that voxels show which label they belong to.
  const options = { spacing: null, normalization: "none" } as const;
  for await (const step of prepareLabelled(dataset, folder, options)) expect(step.status).toBe("done");
  base = {
    folder,
    fold: await datasetFold(dataset, folder, 0),
    labels,
    patch: PATCH,
    batch: 4,
    seed,
    channels: 2,
    foreground: 0.33,
    augmentation: NO_AUGMENTATION,
    loader: { workers: 0, prefetch: 2 },
    steps: 6,
  };
});

async function batches(options: Partial<LabelledOptions>, first = 0): Promise<LabelledBatch[]> {
  const source = await openLabelled({ ...base, ...options });
  const found: LabelledBatch[] = [];
  try {
    for (let step = first; step < base.steps; step++) found.push(await source.batch(step));
  } finally {
    await source.close();
  }
  return found;
}

const numbers = (all: LabelledBatch[]) => all.map(({ images, labels: map }) => [...images, ...map]);

test("the fold is nnU-Net's, written beside the cases", async () => {
  const ids = (await readDataset(raw)).cases.map(({ id }) => id);
  expect(base.fold).toEqual(kFolds(ids)[0]);
  const written = JSON.parse(readFileSync(join(folder, "splits_final.json"), "utf8"));
  expect(written[0]).toEqual({ train: base.fold.training, val: base.fold.validation });
});

test("folds of a smaller data set do not leave cases out unnoticed", async () => {
  const dataset = await readDataset(raw);
  const grown = { ...dataset, cases: [...dataset.cases, { ...dataset.cases[0]!, id: "new" }] };
  const { code, message } = await failure(() => datasetFold(grown, folder, 1));
  expect(code).toBe("ERR_VOXELSPARK_DATA");
  expect(message).toMatch(/splits_final.json.*\n.*case new is in no fold/);
});

test("too few cases for the folds are found before any is preprocessed", async () => {
  const dataset = await readDataset(raw);
  const few = { ...dataset, cases: dataset.cases.slice(0, 3) };
  const to = join(root, "few");
  const { code, message } = await failure(() => openLabelledCases(tinyTuning(), few, to).next());
  expect(code).toBe("ERR_VOXELSPARK_DATA");
  expect(message).toMatch(/^5 folds need at least 5 cases, found 3; .* fold "all"\.$/);
  expect(existsSync(to)).toBe(false);
});

test("splits_final.json of the data set goes first", async () => {
  const own = [{ train: ["c03"], val: ["c01", "c00"] }];
  writeFileSync(join(raw, "splits_final.json"), JSON.stringify(own));
  const fold = await datasetFold(await readDataset(raw), folder, 0);
  expect(fold).toEqual({ training: ["c03"], validation: ["c01", "c00"] });
});

test("batches are the same with any number of workers, and after a resume", async () => {
  const options = { augmentation: NNUNET_AUGMENTATION };
  const inline = numbers(await batches(options));
  expect(new Set(inline.map((values) => values.join())).size).toBe(base.steps);
  expect(numbers(await batches({ ...options, loader: { workers: 2, prefetch: 1 } }))).toEqual(inline);
  expect(numbers(await batches({ ...options, loader: { workers: 0, prefetch: 4 } }, 4))).toEqual(
    inline.slice(4),
  );
});

test("another seed draws others", async () => {
  expect(numbers(await batches({ seed: seed + 1 }))).not.toEqual(numbers(await batches({})));
});

test.each([
  ["plain", NO_AUGMENTATION],
  ["mirrored", MIRROR_AUGMENTATION],
])("%s patches keep image and label together, 0 and -1 outside", async (_, augmentation) => {
  for (const { images, labels: map, waitSeconds } of await batches({ augmentation, patch: [40, 24, 36] })) {
    const voxels = 40 * 24 * 36;
    expect([images.length, map.length]).toEqual([4 * 2 * voxels, 4 * voxels]);
    expect(waitSeconds).toBeGreaterThan(0);
    let outside = 0;
    let wrong = 0;
    for (let i = 0; i < map.length; i++) {
      const n = Math.floor(i / voxels);
      if (map[i] === -1) outside++;
      for (const c of [0, 1]) {
        const value = images[(2 * n + c) * voxels + (i % voxels)]!;
        const wanted = map[i] === -1 ? 0 : 10 + 5 * map[i]! + c;
        if (value !== wanted) wrong++;
      }
    }
    expect(wrong).toBe(0);
    expect(outside).toBeGreaterThan(0);
  }
});

describe("foreground oversampling", () => {
  test("falls on the last samples of a batch, rounded as nnU-Net does", () => {
    const forced = (batch: number, foreground: number) =>
      Array.from({ length: batch }, (_, i) => isForeground(i, { batch, foreground })).filter(Boolean).length;
    // Python: [sum(not i < round(b * (1 - 0.33)) for i in range(b)) for b in 1, 2, 3, 4, 6, 8, 12]
    expect([1, 2, 3, 4, 6, 8, 12].map((batch) => forced(batch, 0.33))).toEqual([0, 1, 1, 1, 2, 3, 4]);
    expect([forced(5, 0), forced(5, 1), forced(3, 0.5), forced(5, 0.5)]).toEqual([0, 5, 1, 3]);
  });

  test("centres on voxels of every class alike", async () => {
    const seen = new Map<number, number>();
    for (const { labels: map } of await batches({ foreground: 1, batch: 8, patch: [5, 5, 5] })) {
      for (let n = 0; n < 8; n++) {
        // The centre voxel, unless the patch was held back at the edge of the case.
        const centre = map[n * 125 + 62]!;
        expect(map.subarray(n * 125, (n + 1) * 125).some((label) => label > 0)).toBe(true);
        seen.set(centre, (seen.get(centre) ?? 0) + 1);
      }
    }
    const [left = 0, right = 0] = [seen.get(1), seen.get(2)];
    expect(left + right).toBeGreaterThan(40); // of 48
    expect(Math.min(left, right)).toBeGreaterThan(6); // p < 1e-6 for fair draws
  });

  test("is held back at every edge: without augmentation no patch hangs over", async () => {
    for (const batch of await batches({ foreground: 1 })) expect(Math.min(...batch.labels)).toBe(0);
  });

  test("centres the other samples on what is annotated where there is an ignore label", async () => {
    const partly = join(root, "partly");
    const [made] = await makeDataset(partly, 1, 1, seed);
    // Only the balls and their neighbourhood along x are annotated.
    made!.label.forEach((label, i, all) => {
      if (label === 0 && ![1, 2].includes(all[i - 1]!)) all[i] = 3;
    });
    await writeCaseFiles(partly, made!);
    writeDatasetJson(partly, { channel_names: { 0: "T1" }, labels: { ...LABELS, ignore: 3 } });
    const dataset = await readDataset(partly);
    const to = join(root, "annotated");
    for await (const _ of prepareLabelled(dataset, to, {})) void _;
    const options: Partial<LabelledOptions> = {
      ...{ folder: to, labels: dataset.labels, channels: 1, foreground: 0, patch: [1, 1, 1] },
      fold: { training: ["c00"], validation: [] },
    };
    const seen = new Set((await batches({ ...options, batch: 30 })).flatMap((batch) => [...batch.labels]));
    expect([...seen].sort()).toEqual([0, 1, 2]);
  });

  test("draws anywhere in a case without foreground", async () => {
    const empty = join(root, "empty");
    await makeDataset(empty, 1, 1, seed);
    const dataset = await readDataset(empty);
    const bare = { labels: { background: 0, left: 1, right: 2, other: 3 } };
    const cases = dataset.cases.map((made) => ({ ...made, label: { ...made.label!, scheme: bare } }));
    for await (const _ of prepareLabelled({ ...dataset, labels: bare, cases }, join(root, "bare"), {}))
      void _;
    const fold = { training: ["c00"], validation: [] };
    const options = { ...base, folder: join(root, "bare"), labels: bare, fold, channels: 1, foreground: 1 };
    const source = await openLabelled(options);
    expect(source.warnings).toEqual(["No training case has a voxel of other."]);
    expect(source.counts).toEqual({ training: 1, validation: 0 });
    expect((await source.batch(0)).labels.length).toBe(4 * VOXELS);
    expect((await source.validationBatch(0)).labels.length).toBe(4 * VOXELS); // of the training case
    await source.close();
  });
});

describe("validation", () => {
  test("patches are fixed, never augmented, of validation cases", async () => {
    const source = await openLabelled({ ...base, augmentation: NNUNET_AUGMENTATION });
    const plain = await openLabelled(base);
    for (const index of [0, 3]) {
      const [a, b] = [await source.validationBatch(index), await plain.validationBatch(index)];
      expect(numbers([a])).toEqual(numbers([b]));
      expect(a.images.length).toBe(4 * 2 * VOXELS);
    }
    expect(numbers([await source.validationBatch(1)])).not.toEqual(
      numbers([await source.validationBatch(0)]),
    );
    await Promise.all([source.close(), plain.close()]);
  });

  test("cases come whole, as they are stored", async () => {
    const source = await openLabelled(base);
    const names: string[] = [];
    for await (const { name, image, label, channels, size } of source.validationCases()) {
      const stored = await StoredCase.open(folder, name);
      names.push(name);
      expect([channels, ...size]).toEqual([2, ...stored.properties.shapes.stored]);
      const both = [await stored.read([0, 0, 0], [...size], 0), await stored.read([0, 0, 0], [...size], 1)];
      expect([...image]).toEqual([...both[0]!, ...both[1]!]);
      expect([...label]).toEqual([...(await stored.read([0, 0, 0], [...size], 2))]);
    }
    expect(names).toEqual(base.fold.validation);
    await source.close();
  });
});

test("the fingerprint follows the cases, not the loader", async () => {
  const print = async (options: Partial<LabelledOptions>) =>
    (await openLabelled({ ...base, ...options })).fingerprint;
  expect(await print({ loader: { workers: 2, prefetch: 9 }, seed: 1, steps: 9 })).toBe(await print({}));
  const { training, validation } = base.fold;
  expect(await print({ fold: { training: validation, validation: training } })).not.toBe(await print({}));
});

test("cases of other channels or labels are named, all at once", async () => {
  const { code, message } = await failure(() => openLabelled({ ...base, channels: 3 }));
  expect(code).toBe("ERR_VOXELSPARK_DATA");
  for (const id of [...base.fold.training, ...base.fold.validation])
    expect(message).toContain(`case ${id} has 2 channels, 3 are expected`);
  const other = { labels: { background: 0, x: 1, y: 2 } };
  expect((await failure(() => openLabelled({ ...base, labels: other }))).message).toMatch(/has other labels/);
});
