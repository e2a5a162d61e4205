/** From a data set in nnU-Net's raw layout to verified, preprocessed cases and the folds they are trained in. */
import { join } from "node:path";
import type { VoxelsparkError } from "../errors";
import { exists } from "../files";
import { type LabelledDataset, refuse } from "./dataset-json";
import { type PreprocessStep, preprocess } from "./preprocess";
import { type PreprocessOptions, readCase } from "./preprocess-image";
import { type Fold, foldOf, kFolds, readSplits, writeSplits } from "./splits";

function requireNone(
  dataset: LabelledDataset,
  failures: readonly { id: string; error: VoxelsparkError }[],
): void {
  if (failures.length === 0) return;
  refuse(
    dataset.folder,
    failures.map(({ id, error }) => `case ${id}: ${error.message}`),
  );
}

/**
 * Makes every case of the data set into `folder`, unless it is there already, and verifies it on the way: channels
 * readable, finite and on the grid of the label map, no label that dataset.json does not name.
 * @yields a step a case; a faulty one has status "failed", and the others go on
 * @throws DataError at the end, naming the faults of all cases
 */
export async function* prepareLabelled(
  dataset: LabelledDataset,
  folder: string,
  options: Partial<PreprocessOptions>,
  workers = 0,
): AsyncGenerator<PreprocessStep, string[]> {
  const failures: { id: string; error: VoxelsparkError }[] = [];
  for await (const step of preprocess(dataset.cases, folder, options, workers)) {
    if (step.error) failures.push({ id: step.case, error: step.error });
    yield step;
  }
  requireNone(
    dataset,
    failures.sort((a, b) => (a.id < b.id ? -1 : 1)),
  );
  return dataset.cases.map(({ id }) => id);
}

/**
 * Verifies every case without writing anything; yields each that was looked at.
 * @throws DataError at the end, naming the faults of all cases
 */
export async function* verifyDataset(
  dataset: LabelledDataset,
  options: Pick<PreprocessOptions, "nonFinite" | "geometry"> = { nonFinite: "error", geometry: "auto" },
): AsyncGenerator<{ done: number; total: number; case: string; error?: VoxelsparkError }> {
  const failures: { id: string; error: VoxelsparkError }[] = [];
  for (const [i, image] of dataset.cases.entries()) {
    const error = await readCase(image, options).then(
      () => undefined,
      (reason: VoxelsparkError) => {
        if (typeof reason.code !== "string") throw reason;
        return reason;
      },
    );
    if (error) failures.push({ id: image.id, error });
    yield { done: i + 1, total: dataset.cases.length, case: image.id, ...(error ? { error } : {}) };
  }
  requireNone(dataset, failures);
}

const SPLITS = "splits_final.json";

/** Throws DataError naming the cases that the folds of an older, smaller data set would leave out unnoticed. */
function requireAll(ids: readonly string[], folds: readonly Fold[], path: string): void {
  const named = new Set(folds.flatMap(({ training, validation }) => [...training, ...validation]));
  const left = ids.filter((id) => !named.has(id)).map((id) => `case ${id} is in no fold`);
  const cure = `delete the file for new folds, or put it beside dataset.json to leave cases out on purpose`;
  if (left.length > 0) refuse(path, [...left, cure]);
}

/**
 * The cases that train and validate in a fold. splits_final.json of the data set or, if it has none, of the case folder
 * counts; if neither has one, nnU-Net's five folds are written to the case folder.
 * @param keep false: nothing is written
 * @throws DataError naming every case that does not fit
 */
export async function datasetFold(
  dataset: LabelledDataset,
  folder: string,
  fold: number | "all",
  keep = true,
): Promise<Fold> {
  const ids = dataset.cases.map(({ id }) => id);
  if (fold === "all") return foldOf(ids, fold);
  const [own, kept] = [join(dataset.folder, SPLITS), join(folder, SPLITS)];
  if (await exists(own)) return foldOf(ids, fold, await readSplits(own), own);
  const stated = await exists(kept);
  const folds = stated ? await readSplits(kept) : kFolds(ids);
  if (!stated && keep) await writeSplits(kept, folds);
  requireAll(ids, folds, kept);
  return foldOf(ids, fold, folds, kept);
}
