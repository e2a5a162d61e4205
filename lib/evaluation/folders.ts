/**
 * Evaluation of folders of segmentations against a folder of references. The set of cases is never smaller than asked
 * for: whatever is missing, unmatched or on another grid is one error that lists all of it, before any work is done.
 */
import type { GeometryChoice } from "../data/geometry";
import { readNifti, readNiftiHeader, type Volume } from "../data/nifti";
import { type Placed, requireSameGrid } from "../data/same-grid";
import { findCases } from "../data/sources";
import { DataError, type ErrorCode, VoxelsparkError } from "../errors";
import { allowedLabels, foregroundOf, ignoreLabel, type LabelScheme } from "../labels";
import type { Region } from "../ops/label-counts";
import { tensor } from "../tensor";
import { evaluateCase, type RegionMetrics, regionKey, regionOf, requireRegions } from "./dice";
import { type CaseResult, type Summary, summarize } from "./summary";

export interface FolderOptions {
  /** Labels and regions to evaluate; not the background. */
  regions: readonly Region[];
  /** Every label that may occur, background and ignore label included; any other is an error. Default: not checked. */
  labels?: readonly number[];
  ignore?: number;
  /** Adds surface Dice at this tolerance in mm. */
  tolerance?: number;
  /** Which stored affine of the label maps to trust. Default "auto", which refuses those whose affines disagree. */
  geometry?: GeometryChoice | undefined;
  /** Ids of the cases that must be there, such as those of a fold. Default: all references. */
  cases?: readonly string[];
  /** Evaluates the predicted cases alone, however many references there are. Default false. */
  subset?: boolean;
}

/** What to evaluate by the labels of a data set: its classes or regions, at a tolerance in mm for surface Dice. */
export function optionsOf(scheme: LabelScheme, tolerance?: number): FolderOptions {
  const ignore = ignoreLabel(scheme);
  return {
    regions: foregroundOf(scheme).map(({ labels }) => regionOf(labels)),
    labels: allowedLabels(scheme),
    ...(ignore === undefined ? {} : { ignore }),
    ...(tolerance === undefined ? {} : { tolerance }),
  };
}

/** Names of the classes or regions by their keys in summary.json. */
export function regionNames(scheme: LabelScheme): Record<string, string> {
  return Object.fromEntries(
    foregroundOf(scheme).map(({ name, labels }) => [regionKey(regionOf(labels)), name]),
  );
}

export interface EvaluatedCase {
  done: number;
  total: number;
  id: string;
  metrics: Record<string, RegionMetrics>;
}

/** Files of a case. */
export interface Pair {
  id: string;
  prediction: string;
  reference: string;
}

function fail(sentence: string, code: ErrorCode = "ERR_VOXELSPARK_DATA"): never {
  throw new DataError(code, sentence);
}

/** Paths by case id over several folders. @throws DataError listing every id that occurs in two of them */
async function collect(folders: readonly string[]): Promise<Map<string, string>> {
  const paths = new Map<string, string[]>();
  for (const folder of folders)
    for (const { id, path } of await findCases(folder)) paths.set(id, [...(paths.get(id) ?? []), path]);
  const twice = [...paths].filter(([, found]) => found.length > 1);
  if (twice.length > 0)
    fail(
      `${twice.length} cases are predicted more than once: ` +
        `${twice.map(([id, found]) => `${id} (${found.join(" and ")})`).join(", ")}.`,
    );
  return new Map([...paths].map(([id, [path]]) => [id, path!]));
}

async function pairsOf(
  folders: readonly string[],
  reference: string,
  options: FolderOptions,
): Promise<Pair[]> {
  const predictions = await collect(folders);
  const references = await collect([reference]);
  const wanted = new Set(options.cases ?? (options.subset ? predictions : references).keys());
  const faults: string[] = [];
  const list = (what: string, ids: string[]) => {
    if (ids.length > 0) faults.push(`${ids.length} ${what}: ${ids.join(", ")}`);
  };
  list(
    "cases have no reference",
    [...wanted].filter((id) => !references.has(id)),
  );
  list(
    "cases have no prediction",
    [...wanted].filter((id) => !predictions.has(id)),
  );
  list(
    "predictions belong to none of the cases",
    [...predictions.keys()].filter((id) => !wanted.has(id)),
  );
  if (faults.length > 0) fail(`${folders.join(", ")} against ${reference}: ${faults.join("; ")}.`);
  return [...wanted]
    .sort()
    .map((id) => ({ id, prediction: predictions.get(id)!, reference: references.get(id)! }));
}

async function placeOf(path: string, choice: GeometryChoice): Promise<Placed> {
  const { header, geometry } = await readNiftiHeader(path, { geometry: choice });
  return { shape: [...header.shape].reverse(), geometry };
}

/** Headers only: every unreadable file and every pair on different grids, in one error. */
async function requireSameGrids(pairs: readonly Pair[], choice: GeometryChoice = "auto"): Promise<void> {
  const faults: VoxelsparkError[] = [];
  for (const { prediction, reference } of pairs)
    try {
      requireSameGrid(
        await placeOf(prediction, choice),
        await placeOf(reference, choice),
        prediction,
        reference,
      );
    } catch (error) {
      if (!(error instanceof VoxelsparkError)) throw error;
      faults.push(error);
    }
  const [first] = faults;
  if (!first) return;
  if (faults.length === 1) throw first;
  const code = faults.every((f) => f.code === first.code) ? first.code : "ERR_VOXELSPARK_DATA";
  fail(
    `${faults.length} of ${pairs.length} cases cannot be compared:\n${faults.map((f) => f.message).join("\n")}`,
    code,
  );
}

/** @throws DataError with each label that is not allowed and its number of voxels */
function requireLabels(volume: Volume, path: string, allowed: ReadonlySet<number>): void {
  const strangers = new Map<number, number>();
  for (const v of volume.data)
    if (!allowed.has(v) && (strangers.size < 20 || strangers.has(v)))
      strangers.set(v, (strangers.get(v) ?? 0) + 1);
  if (strangers.size === 0) return;
  const found = [...strangers].sort(([a], [b]) => a - b).map(([label, n]) => `${label} (${n} voxels)`);
  fail(`${path}: labels ${found.join(", ")} were found, allowed are ${[...allowed].join(", ")}.`);
}

async function evaluatePair(pair: Pair, options: FolderOptions): Promise<CaseResult> {
  const reading = { geometry: options.geometry ?? "auto", content: "labels" } as const;
  const [p, r] = [await readNifti(pair.prediction, reading), await readNifti(pair.reference, reading)];
  if (options.labels) {
    const allowed = new Set(options.labels);
    requireLabels(r, pair.reference, allowed);
    allowed.delete(options.ignore ?? Number.NaN);
    requireLabels(p, pair.prediction, allowed);
  }
  using prediction = tensor(p.data, [1, 1, ...p.shape], { device: "cpu" });
  using reference = tensor(r.data, [1, 1, ...r.shape], { device: "cpu" });
  const [x, y, z] = r.geometry.spacing;
  const { regions, ignore, tolerance } = options;
  const surface = tolerance === undefined ? undefined : { tolerance, spacing: [z, y, x] as const };
  try {
    const metrics = await evaluateCase(prediction, reference, { regions, ignore, surface });
    return { metrics, prediction_file: pair.prediction, reference_file: pair.reference };
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    throw new DataError(error.code, `${pair.prediction} and ${pair.reference}: ${error.message}`, {
      cause: error,
    });
  }
}

/**
 * Evaluates every case and yields its metrics; returns the summary over all of them.
 *
 * @param predictions a folder of NIfTI files, or one a fold: cases of all folds are pooled
 * @param reference folder of NIfTI files of the same names
 * @throws DataError for missing, unmatched and duplicate cases and for wrong labels; GeometryError and FormatError of
 *   single files; several such at once are one DataError that lists them
 */
export async function* evaluateFolders(
  predictions: string | readonly string[],
  reference: string,
  options: FolderOptions,
): AsyncGenerator<EvaluatedCase, Summary> {
  const folders = typeof predictions === "string" ? [predictions] : predictions;
  return yield* evaluatePairs(await pairsOf(folders, reference, options), options);
}

/** As `evaluateFolders`, of files that need not lie in two folders. */
export async function* evaluatePairs(
  pairs: readonly Pair[],
  options: Omit<FolderOptions, "cases">,
): AsyncGenerator<EvaluatedCase, Summary> {
  requireRegions(options.regions, options.ignore);
  await requireSameGrids(pairs, options.geometry);
  const results: CaseResult[] = [];
  for (const pair of pairs) {
    const result = await evaluatePair(pair, options);
    results.push(result);
    yield { done: results.length, total: pairs.length, id: pair.id, metrics: result.metrics };
  }
  return summarize(results);
}
