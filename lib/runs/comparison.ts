/**
 * The comparison that the paper makes: methods × data sets × seeds × folds, each pre-trained, fine-tuned, predicted and
 * evaluated in a folder of its own. What is finished stays, what was begun goes on, what is shared is made once.
 */
import { join } from "node:path";
import { readDataset } from "../data/dataset-json";
import { type PhantomLabel, writePhantomDataset } from "../data/phantom-dataset";
import { VoxelsparkError } from "../errors";
import { exists } from "../files";
import { lockFolder } from "../lock";
import type { DataSource, Experiment } from "../plans/experiment";
import { experimentRuns, type PretrainingRun, sourceFolder } from "../plans/experiment-runs";
import type { DeviceName } from "../tensor";
import { type ComparisonResults, Results, type RunResult, writeResults } from "./comparison-results";
import { type PlannedRun, planRun, pretrainOne, type RunStep, tuneOne } from "./comparison-runs";
import { summaryFile } from "./held-out";

export interface ComparisonOptions {
  experiment: Experiment;
  /** Folder of the comparison. */
  out: string;
  device: DeviceName;
  /** When aborted, the step under way is finished, a checkpoint written and the comparison ends. */
  signal?: AbortSignal | undefined;
}

/** Heads that are made, runs and what they tell, results. */
export type ComparisonEvent =
  | { type: "data"; name: string; done: number; total: number }
  | ({ type: "result"; done: number; total: number } & RunResult)
  | { type: "failed"; title: string; code: string; message: string }
  | RunStep;

export interface Comparison extends ComparisonResults {
  interrupted: boolean;
}

/**
 * Runs an experiment, or what is left of it, and writes results.json, table.md, table.csv and report.html after every
 * run. Plans are checked before anything is trained; a run that fails is told and the others go on.
 * @throws PlanError, DataError for an experiment or data that cannot be used; VoxelsparkError (LOCKED)
 */
export async function* runComparison(
  options: ComparisonOptions,
): AsyncGenerator<ComparisonEvent, Comparison> {
  const { experiment, out, signal } = options;
  const runs = experimentRuns(experiment);
  const lock = await lockFolder(out);
  try {
    const results = new Results(experiment, runs.finetuning.length);
    const comparison = () => ({ ...results.get(), interrupted: signal?.aborted === true });
    if (!(yield* makeData(options))) return comparison();
    const datasets = new Map<DataSource, Awaited<ReturnType<typeof readDataset>>>();
    for (const { source } of experiment.datasets)
      datasets.set(source, await readDataset(folderOf(out, source)));
    const planned: PlannedRun[] = [];
    for (const run of runs.finetuning) planned.push(await planRun(run, datasets.get(run.source)!));
    yield* runAll(options, runs.pretraining, planned, results);
    await writeResults(out, results.get());
    return comparison();
  } finally {
    await lock.release();
  }
}

async function* runAll(
  options: ComparisonOptions,
  pretrainings: readonly PretrainingRun[],
  planned: readonly PlannedRun[],
  results: Results,
): AsyncGenerator<ComparisonEvent> {
  const { out, signal } = options;
  const failed = new Map<PretrainingRun, VoxelsparkError>(); // what needs them fails as well
  const source = options.experiment.pretraining?.source;
  const context = {
    ...{ out, device: options.device, signal },
    images: source && imagesOf(out, source),
    sharedCases: new Set(pretrainings.map(({ plan }) => JSON.stringify(plan.preprocessing))).size === 1,
  };
  for (const [i, run] of planned.entries()) {
    if (signal?.aborted) return;
    const { weights } = run;
    try {
      const before = typeof weights === "object" ? failed.get(weights) : undefined;
      if (before) throw before;
      // Where the fine-tuning has been evaluated its pre-training may be gone: the folder's name stands for it.
      if (typeof weights === "object" && !(await exists(summaryFile(join(out, run.folder)))))
        yield* guard(pretrainOne(weights, context), (error) => failed.set(weights, error));
      if (signal?.aborted) return;
      const tuned = yield* tuneOne(run, context);
      if (!tuned) return;
      const result = results.add(run, tuned.summary, tuned);
      yield { type: "result", done: i + 1, total: planned.length, ...result };
    } catch (error) {
      if (!(error instanceof VoxelsparkError)) throw error;
      const { code, message } = error;
      results.fail({ folder: run.folder, title: run.title, code, message });
      yield { type: "failed", title: run.title, code, message };
    }
    await writeResults(out, results.get());
  }
}

async function* guard<E>(
  steps: AsyncGenerator<E>,
  failed: (error: VoxelsparkError) => void,
): AsyncGenerator<E> {
  try {
    yield* steps;
  } catch (error) {
    if (error instanceof VoxelsparkError) failed(error);
    throw error;
  }
}

/** Makes the synthetic heads that are not there yet. Returns false when interrupted. */
async function* makeData({
  experiment,
  out,
  signal,
}: ComparisonOptions): AsyncGenerator<ComparisonEvent, boolean> {
  const wanted = [
    ...(experiment.pretraining ? [{ name: "pre-training", source: experiment.pretraining.source }] : []),
    ...experiment.datasets,
  ];
  for (const { name, source } of wanted) {
    if ("path" in source) continue;
    const folder = folderOf(out, source);
    if (await exists(join(folder, "dataset.json"))) continue; // written last
    const { count, edge, keep, training, ...rest } = source.phantoms;
    const steps = writePhantomDataset(folder, count, {
      ...rest,
      shape: [edge, edge, edge],
      ...(training === undefined ? {} : { training }),
      ...(keep === undefined ? {} : { keep: keep as PhantomLabel[] }),
    });
    for await (const { done, total } of steps) {
      yield { type: "data", name, done, total };
      if (signal?.aborted) return false;
    }
  }
  return true;
}

function folderOf(out: string, source: DataSource): string {
  const folder = sourceFolder(source);
  return typeof folder === "string" ? folder : join(out, folder.made);
}

/** Images for pre-training: of synthetic heads without their label maps. */
function imagesOf(out: string, source: DataSource): string {
  return "path" in source ? source.path : join(folderOf(out, source), "imagesTr");
}
