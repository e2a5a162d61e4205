/** From channel files to label maps on their own grid, with one fine-tuned network or an ensemble (method.md §8). */
import { realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { ChannelFiles } from "../data/channel-files";
import type { Vector3 } from "../data/geometry";
import type { NiftiHeader } from "../data/nifti-header";
import { writeNifti } from "../data/nifti-writer";
import { preprocessChannels } from "../data/preprocess-channels";
import { completeOptions, type PreprocessOptions } from "../data/preprocess-image";
import { DataError, VoxelsparkError } from "../errors";
import { exists, removeIfEmpty, removeTemporary } from "../files";
import { type CaseGrid, type LabelArray, LabelPainter } from "../inference/label-painter";
import { probabilitySink } from "../inference/probability-file";
import { slidingWindow } from "../inference/sliding-window";
import { classNames, hasRegions, sameScheme } from "../labels";
import { lockFolder } from "../lock";
import { PendingFile } from "../pending-file";
import type { FinetunePlan } from "../plans/finetune";
import { type DeviceName, type Tensor, tensor } from "../tensor";

type Axis = 0 | 1 | 2;

/** A network and what of its plan decides how it predicts; a `Segmenter` is one. */
export interface PredictionModel {
  readonly model: { forward(x: Tensor): Tensor };
  readonly plan: Pick<FinetunePlan, "channels" | "labels" | "patch" | "preprocessing" | "prediction">;
}

export interface PredictOptions {
  /** Where the networks are. Default "cpu". */
  device?: DeviceName | undefined;
  /** Distance of neighbouring windows at most, as a share of the patch. Default: the plan's. */
  step?: number | undefined;
  /** Axes of test-time mirroring: 0 z, 1 y, 2 x. Default: the plan's. */
  mirroring?: readonly Axis[] | undefined;
  /** Bytes for the sums of logits; more means fewer, thicker slabs and the same bits. Default: as few as possible. */
  slabBytes?: number | undefined;
  /** Which stored affine to trust, and what NaN and infinite voxels do. Default: as in the plan's preprocessing. */
  geometry?: PreprocessOptions["geometry"] | undefined;
  nonFinite?: PreprocessOptions["nonFinite"] | undefined;
  /** When aborted, prediction ends after the window under way with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** .npy file for the probabilities, float32 (K, D, H, W) in the grid of the image. */
  probabilities?: string | undefined;
}

export interface CasePrediction {
  /** (D, H, W) in the grid of the files. */
  labels: LabelArray;
  shape: Vector3;
  /** Of the first channel's file. */
  header: NiftiHeader;
  warnings: readonly string[];
}

/** What a network and its data must share with the others of an ensemble. */
const SHARED = ["channels", "labels", "patch", "preprocessing"] as const;

/** @throws DataError when there is no model, or when models of an ensemble are made for different data */
function requireEnsemble(models: readonly PredictionModel[]): PredictionModel {
  const [first, ...others] = models;
  if (!first) throw new DataError("ERR_VOXELSPARK_EMPTY", "there are 0 models to predict with.");
  for (const [i, { plan }] of others.entries())
    for (const key of SHARED) {
      const [a, b] = [JSON.stringify(first.plan[key]), JSON.stringify(plan[key])];
      if (key === "labels" ? !sameScheme(first.plan.labels, plan.labels) : a !== b)
        throw new DataError(
          "ERR_VOXELSPARK_DATA",
          `models of an ensemble must agree: ${key} of model 1 is ${a}, of model ${i + 2} ${b}.`,
        );
    }
  return first;
}

function preprocessingOf(
  { preprocessing }: PredictionModel["plan"],
  { geometry = preprocessing.geometry, nonFinite = preprocessing.nonFinite }: PredictOptions,
): PreprocessOptions {
  const { spacing } = preprocessing;
  if (spacing !== "median") return completeOptions({ ...preprocessing, spacing, geometry, nonFinite });
  throw new DataError(
    "ERR_VOXELSPARK_DATA",
    'preprocessing.spacing of the plan is "median", prediction needs the numbers that training has put there.',
  );
}

/** A case on the device; the values in JavaScript's memory are given up. */
async function load(files: readonly string[], { plan }: PredictionModel, options: PredictOptions) {
  if (files.length !== plan.channels.length)
    throw new DataError(
      "ERR_VOXELSPARK_DATA",
      `the case has ${files.length} files (${files.join(", ")}), the model has ${plan.channels.length} channels ` +
        `(${plan.channels.join(", ")}).`,
    );
  const { data, ...grid } = await preprocessChannels(files, preprocessingOf(plan, options));
  const { device = "cpu" } = options;
  return { volume: tensor(data, [1, files.length, ...grid.shapes.stored], { device }), grid };
}

/** Where the probabilities of a case go, if wanted. */
async function openProbabilities(
  path: string | undefined,
  { labels }: PredictionModel["plan"],
  grid: CaseGrid,
) {
  if (path === undefined) return undefined;
  const file = await PendingFile.open(path);
  try {
    const background = hasRegions(labels) ? undefined : 0;
    return { file, sink: await probabilitySink(file, classNames(labels).length, background, grid) };
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}

export interface WindowProgress {
  /** Windows predicted, and to predict in all. */
  done: number;
  total: number;
}

/**
 * Predicts one case, telling of every window; returns the label map.
 * @param files one a channel, in the order of the plan's channels
 * @throws VoxelsparkError that names the file or what is wrong with it; the signal's reason when aborted
 */
export async function* predictWindows(
  models: readonly PredictionModel[],
  files: readonly string[],
  options: PredictOptions = {},
): AsyncGenerator<WindowProgress, CasePrediction> {
  const first = requireEnsemble(models);
  const { plan } = first;
  const { step, mirroring, slabBytes, signal } = options;
  const { volume, grid } = await load(files, first, options);
  using _volume = volume;
  const probabilities = await openProbabilities(options.probabilities, plan, grid);
  await using _file = probabilities?.file;
  const { anisotropyThreshold } = plan.preprocessing;
  const painter = new LabelPainter(plan.labels, grid, anisotropyThreshold, probabilities?.sink);
  const networks = models.map(
    ({ model }) =>
      (x: Tensor) =>
        model.forward(x),
  );
  const windows = slidingWindow(networks, volume, {
    patch: plan.patch,
    channels: classNames(plan.labels).length,
    step: step ?? plan.prediction.step,
    mirror: mirroring ?? (plan.prediction.mirroring as readonly Axis[]),
    ...(slabBytes === undefined ? {} : { slabBytes }),
  });
  for await (const { done, total, slab } of windows) {
    signal?.throwIfAborted();
    if (slab) await painter.add(slab);
    else yield { done, total };
  }
  await probabilities?.file.commit();
  return { labels: painter.labels, shape: grid.shapes.source, header: grid.header, warnings: grid.warnings };
}

/** The same without progress. */
export async function predictCase(
  models: readonly PredictionModel[],
  files: readonly string[],
  options: PredictOptions = {},
): Promise<CasePrediction> {
  const steps = predictWindows(models, files, options);
  for (;;) {
    const step = await steps.next();
    if (step.done) return step.value;
  }
}

/** Writes a label map with the geometry of its image, atomically. */
export function writePrediction(path: string, { labels, shape, header }: CasePrediction): Promise<void> {
  return writeNifti(path, { data: labels, shape, like: header, description: "voxelspark prediction" });
}

export interface PredictionRun extends Omit<PredictOptions, "probabilities"> {
  models: readonly PredictionModel[];
  cases: readonly ChannelFiles[];
  /** Folder for `<case>.nii.gz`. */
  out: string;
  /** Also writes `<case>.npy`. */
  saveProbabilities?: boolean | undefined;
  /** Leaves cases alone whose label map, and probabilities if wanted, are there already. */
  skipFinished?: boolean | undefined;
}

/** "done": written now; "current": was there already; "failed": see `error`. */
export interface CaseOutcome {
  status: "done" | "current" | "failed";
  error?: VoxelsparkError;
  warnings: readonly string[];
  seconds: number;
}

/** A window or a case is done, or the whole. */
export type PredictionEvent =
  | ({ type: "window"; case: string } & WindowProgress)
  | ({ type: "case"; case: string; done: number; total: number } & CaseOutcome)
  | { type: "end"; reason: "finished" | "interrupted" };

/** @throws DataError when a label map would take the place of an image */
async function requireOtherFiles({ cases, out }: PredictionRun): Promise<void> {
  const real = (folder: string) => realpath(folder).catch(() => resolve(folder)); // one that is still to be made
  const folder = await real(out);
  for (const { id, files } of cases)
    for (const file of files)
      if (basename(file) === `${id}.nii.gz` && (await real(dirname(file))) === folder)
        throw new DataError(
          "ERR_VOXELSPARK_DATA",
          `the label map of ${id} would replace its image ${file}; choose another output folder.`,
        );
}

/**
 * Predicts a folder's cases one by one. A case that cannot be predicted is reported and the rest goes on; errors of the
 * output folder end it. An abort ends it after the window under way, and the case under way leaves nothing behind.
 */
export async function* runPrediction(run: PredictionRun): AsyncGenerator<PredictionEvent> {
  requireEnsemble(run.models);
  await requireOtherFiles(run);
  const isNew = !(await exists(run.out));
  const lock = await lockFolder(run.out);
  try {
    await removeTemporary(run.out);
    for (const [i, files] of run.cases.entries()) {
      const outcome = yield* oneCase(files, run);
      if (!outcome) {
        yield { type: "end", reason: "interrupted" };
        return;
      }
      yield { type: "case", case: files.id, done: i + 1, total: run.cases.length, ...outcome };
    }
    yield { type: "end", reason: "finished" };
  } finally {
    await lock.release();
    if (isNew) await removeIfEmpty(run.out);
  }
}

/** undefined when aborted. */
async function* oneCase(
  { id, files }: ChannelFiles,
  run: PredictionRun,
): AsyncGenerator<PredictionEvent, CaseOutcome | undefined> {
  const { models, out, signal } = run;
  const began = performance.now();
  const took = () => (performance.now() - began) / 1000;
  const target = join(out, `${id}.nii.gz`);
  if (signal?.aborted) return undefined;
  const probabilities = run.saveProbabilities ? join(out, `${id}.npy`) : undefined;
  const isThere = (await exists(target)) && (probabilities === undefined || (await exists(probabilities)));
  if (run.skipFinished && isThere) return { status: "current", warnings: [], seconds: 0 };
  const steps = predictWindows(models, files, { ...run, probabilities });
  try {
    for (;;) {
      const step = await steps.next();
      if (step.done) {
        await writePrediction(target, step.value);
        return { status: "done", warnings: step.value.warnings, seconds: took() };
      }
      yield { type: "window", case: id, ...step.value };
    }
  } catch (error) {
    if (signal?.aborted && error === signal.reason) return undefined;
    const known = ofCase(error, files);
    if (!known) throw error;
    return { status: "failed", error: known, warnings: [], seconds: took() };
  } finally {
    await steps.return(undefined as never); // the consumer left
  }
}

/** The error when it is of the case and not of the output folder or of this program. */
function ofCase(error: unknown, files: readonly string[]): VoxelsparkError | undefined {
  if (error instanceof VoxelsparkError) return error.message.startsWith("Cannot write") ? undefined : error;
  const { name, message, code } = error as NodeJS.ErrnoException;
  if (name !== "RangeError" || code !== undefined) return undefined;
  // V8 refuses an allocation with a plain RangeError
  const sentence = `${files.join(", ")}: does not fit into memory: ${message}.`;
  return new DataError("ERR_VOXELSPARK_DATA", sentence, { cause: error });
}
