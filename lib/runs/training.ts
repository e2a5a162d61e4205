/**
 * What every training run does around its steps: lock, plan, metrics, validation, checkpoints, resume, interruption. A
 * kind of training says what its state, steps and validations are.
 */
import { join } from "node:path";
import { type Checkpoint, checkpointSteps, cleanRun, openLatestCheckpoint } from "../checkpoints/train-state";
import type { PreprocessStep } from "../data/preprocess";
import { CheckpointError } from "../errors";
import { exists, removeIfEmpty, writeFileAtomic } from "../files";
import { lockFolder } from "../lock";
import { type Metrics, MetricsLog, readMetrics } from "../metrics-log";
import { planToJson } from "../plans/plan";
import type { DeviceName } from "../tensor";
import { type ModelState, restoreState, saveState } from "./train-state";

/** What a run needs to know of its plan. */
export interface TrainingPlan {
  readonly seed: number;
  readonly steps: number;
  readonly validation: { readonly every: number };
  readonly checkpoint: { readonly every: number; readonly keep: number };
}

/** Patches of a run and a name for the data that they come from. */
export interface DataSource {
  /** A resumed run must find the same. */
  readonly fingerprint: string;
  /** Number of cases that train and that are held out. */
  readonly counts: { readonly training: number; readonly validation: number };
  close(): Promise<void>;
}

export interface TrainingOptions<P, D> {
  plan: P;
  /** Run folder: plan.json, metrics.jsonl, progress.png, step-XXXXXXXX/. */
  out: string;
  /** Makes the source, which the run closes. Called once the folder is known to be free for the run. */
  open: () => AsyncGenerator<PreprocessStep, D>;
  device: DeviceName;
  /** Go on from the newest checkpoint in `out`. */
  resume?: boolean;
  /** With `resume`: go back past damaged checkpoints. */
  allowPrevious?: boolean;
  /** When aborted, the step under way is finished, a checkpoint written and the run ends as "interrupted". */
  signal?: AbortSignal | undefined;
}

/** A run under way, as its kind of training sees it. */
export interface TrainingRun<P, S, D> {
  readonly out: string;
  readonly plan: P;
  readonly device: DeviceName;
  readonly source: D;
  readonly state: S;
  readonly log: MetricsLog;
  readonly signal: AbortSignal | undefined;
}

/** What sets one kind of training apart. `E`: events of its own. */
export interface Training<
  P extends TrainingPlan,
  S extends ModelState & Disposable,
  D extends DataSource,
  Step extends { step: number },
  E,
> {
  /** The plan in a checkpoint. */
  planOf(checkpoint: Checkpoint): P;
  /** The plan to go on with. @throws PlanError when it would change the numbers */
  resumePlan(saved: P, wanted: P): P;
  /** The state after `step` steps, its weights and momenta still to be read; a new one where `step` is 0. */
  build(plan: P, device: DeviceName, step: number): S;
  /** Number of values that the run trains. */
  parameters(state: S): number;
  /** Of a new run, before its first step. */
  begin?(run: TrainingRun<P, S, D>): AsyncGenerator<E>;
  /** Trains from `state.step` on. */
  steps(run: TrainingRun<P, S, D>): AsyncGenerator<Step>;
  /** The line of a step in metrics.jsonl. */
  line(step: Step): Metrics;
  validate(run: TrainingRun<P, S, D>): AsyncGenerator<E>;
  /** What checkpoints hold besides weights and momenta, JSON; `recall` takes it back. */
  remember?(state: S): Readonly<Record<string, unknown>>;
  recall?(state: S, memory: Readonly<Record<string, unknown>>): void;
  draw(file: string, metrics: readonly Metrics[], plan: P): Promise<void>;
  /** After the last step, also of a run that is resumed there; stops early when the signal says so. */
  end?(run: TrainingRun<P, S, D>): AsyncGenerator<E>;
}

/** A step as a line of metrics.jsonl. */
export function stepLine<S extends { step: number; learningRate: number; lossScale?: number | undefined }>({
  learningRate,
  lossScale,
  ...rest
}: S): Metrics {
  return { ...rest, lr: learningRate, ...(lossScale === undefined ? {} : { lossScale }) } as Metrics;
}

export type TrainingEvent<Step> =
  | ({ type: "prepare" } & PreprocessStep)
  /** `skipped`: what was wrong with the damaged checkpoints that a resumed run went back past. */
  | { type: "start"; step: number; parameters: number; cases: DataSource["counts"]; skipped: string[] }
  | ({ type: "step" } & Step)
  | { type: "checkpoint"; step: number; folder: string }
  | { type: "end"; step: number; reason: "finished" | "interrupted" };

type Resumed = Awaited<ReturnType<typeof openLatestCheckpoint>>;

/**
 * A training with everything around it. A resumed run has the same bits as an uninterrupted one. However it ends,
 * nothing stays open or alive.
 * @throws CheckpointError when the folder holds a run already, or none to resume; PlanError when the plan changed
 */
export async function* runTraining<
  P extends TrainingPlan,
  S extends ModelState & Disposable,
  D extends DataSource,
  Step extends { step: number },
  E,
>(
  training: Training<P, S, D, Step, E>,
  options: TrainingOptions<P, D>,
): AsyncGenerator<TrainingEvent<Step> | E> {
  const { out } = options;
  const isNew = !(await exists(out));
  const lock = await lockFolder(out);
  try {
    yield* lockedRun(training, options);
  } finally {
    await lock.release();
    if (isNew) await removeIfEmpty(out);
  }
}

async function* lockedRun<
  P extends TrainingPlan,
  S extends ModelState & Disposable,
  D extends DataSource,
  Step extends { step: number },
  E,
>(
  training: Training<P, S, D, Step, E>,
  options: TrainingOptions<P, D>,
): AsyncGenerator<TrainingEvent<Step> | E> {
  const checkpoint = await findCheckpoint(options);
  let source: D | undefined;
  try {
    const plan = checkpoint ? training.resumePlan(training.planOf(checkpoint), options.plan) : options.plan;
    source = yield* prepare(options);
    if (source) yield* train(training, { ...options, plan }, source, checkpoint);
    else yield { type: "end", step: checkpoint?.state.step ?? 0, reason: "interrupted" };
  } finally {
    await source?.close();
    await checkpoint?.close();
  }
}

/** The checkpoint to go on from; undefined for a new run. */
async function findCheckpoint({
  out,
  resume,
  allowPrevious,
}: Pick<TrainingOptions<unknown, unknown>, "out" | "resume" | "allowPrevious">): Promise<
  Resumed | undefined
> {
  if (resume) return openLatestCheckpoint(out, { allowPrevious: allowPrevious ?? false });
  const steps = await checkpointSteps(out);
  if (steps.length === 0) return undefined;
  throw new CheckpointError(
    "ERR_VOXELSPARK_CHECKPOINT",
    `${out} already holds a run up to step ${steps.at(-1)}; resume it, or choose another folder`,
  );
}

/** The source; undefined when interrupted before it was ready. */
async function* prepare<D>({
  open,
  signal,
}: Pick<TrainingOptions<unknown, D>, "open" | "signal">): AsyncGenerator<
  { type: "prepare" } & PreprocessStep,
  D | undefined
> {
  const steps = open();
  try {
    for (;;) {
      const next = await steps.next();
      if (next.done) return next.value;
      yield { type: "prepare", ...next.value };
      if (signal?.aborted) return undefined;
    }
  } finally {
    await steps.return(undefined as never); // the consumer left, or the run was interrupted
  }
}

async function* train<
  P extends TrainingPlan,
  S extends ModelState & Disposable,
  D extends DataSource,
  Step extends { step: number },
  E,
>(
  training: Training<P, S, D, Step, E>,
  { out, plan, device, signal }: TrainingOptions<P, D>,
  source: D,
  checkpoint: Resumed | undefined,
): AsyncGenerator<TrainingEvent<Step> | E> {
  using state = training.build(plan, device, checkpoint?.state.step ?? 0);
  if (checkpoint) {
    await restoreState(state, checkpoint, source.fingerprint);
    training.recall?.(state, checkpoint.state.extra ?? {});
  }
  await cleanRun(out, state.step);
  await writeFileAtomic(join(out, "plan.json"), planToJson(plan));
  await using log = await MetricsLog.open(join(out, "metrics.jsonl"), checkpoint && state.step);
  const run = { out, plan, device, source, state, log, signal };
  if (!checkpoint && training.begin) yield* training.begin(run);
  const { counts: cases } = source;
  const skipped = checkpoint?.skipped ?? [];
  yield { type: "start", step: state.step, parameters: training.parameters(state), cases, skipped };
  for await (const step of training.steps(run)) {
    await log.append(training.line(step));
    yield { type: "step", ...step } as Awaited<{ type: "step" } & Step>; // no promise, which TypeScript cannot know
    const isDue = (every: number) => step.step === plan.steps || step.step % every === 0;
    if (isDue(plan.validation.every)) yield* training.validate(run);
    const stop = signal?.aborted === true; // once, so that what ends the loop has been saved
    if (stop || isDue(plan.checkpoint.every))
      yield { type: "checkpoint", step: step.step, folder: await save(training, run) };
    if (stop) break;
  }
  if (state.step === plan.steps && training.end) yield* training.end(run);
  const finished = state.step === plan.steps && !(training.end && signal?.aborted);
  yield { type: "end", step: state.step, reason: finished ? "finished" : "interrupted" };
}

/** Writes a checkpoint of the state and the picture of the metrics so far; returns the checkpoint's folder. */
async function save<P extends TrainingPlan, S extends ModelState, D extends DataSource>(
  { remember, draw }: Pick<Training<P, S & Disposable, D, never, never>, "remember" | "draw">,
  { out, plan, source, state, log }: TrainingRun<P, S & Disposable, D>,
): Promise<string> {
  await log.sync();
  const folder = await saveState(out, plan, state, source.fingerprint, remember?.(state) ?? {});
  await draw(join(out, "progress.png"), await readMetrics(log.file), plan);
  return folder;
}
