import { join } from "node:path";
import { checkpointSteps, cleanRun, openLatestCheckpoint } from "../checkpoints/train-state";
import type { PreprocessStep } from "../data/preprocess";
import { CheckpointError } from "../errors";
import { exists, removeIfEmpty, writeFileAtomic } from "../files";
import { lockFolder } from "../lock";
import { MetricsLog, readMetrics } from "../metrics-log";
import { type Plan, planFromJson, planToJson, resumePlan } from "../plans/plan";
import { type PatchSource, type PretrainState, type PretrainStep, pretrain } from "../recipes/pretrain";
import { buildS3D, buildSGD } from "../recipes/step";
import { validate } from "../recipes/validate";
import type { DeviceName } from "../tensor";
import { drawProgress } from "./progress-picture";
import { restoreState, saveState } from "./train-state";

/** Patches of a run and a name for the data that they come from. */
export interface RunSource extends PatchSource {
  /** A resumed run must find the same. */
  readonly fingerprint: string;
  /** Number of cases that train and that are held out. */
  readonly counts: { readonly training: number; readonly validation: number };
  close(): Promise<void>;
}

export interface RunOptions {
  plan: Plan;
  /** Run folder: plan.json, metrics.jsonl, progress.png, step-XXXXXXXX/. */
  out: string;
  /** Makes the source, which the run closes. Called once the folder is known to be free for the run. */
  open: () => AsyncGenerator<PreprocessStep, RunSource>;
  device: DeviceName;
  /** Go on from the newest checkpoint in `out`. */
  resume?: boolean;
  /** With `resume`: go back past damaged checkpoints. */
  allowPrevious?: boolean;
  /** When aborted, the step under way is finished, a checkpoint written and the run ends as "interrupted". */
  signal?: AbortSignal;
}

export type RunEvent =
  | ({ type: "prepare" } & PreprocessStep)
  /** `skipped`: what was wrong with the damaged checkpoints that a resumed run went back past. */
  | { type: "start"; step: number; parameters: number; cases: RunSource["counts"]; skipped: string[] }
  | ({ type: "step" } & PretrainStep)
  | { type: "validation"; step: number; loss: number; baseline: number }
  | { type: "checkpoint"; step: number; folder: string }
  | { type: "end"; step: number; reason: "finished" | "interrupted" };

type Resumed = Awaited<ReturnType<typeof openLatestCheckpoint>>;

/**
 * Pre-training with everything around it: lock, plan, metrics, validation, checkpoints, resume.
 * A resumed run has the same bits as an uninterrupted one. However it ends, nothing stays open or alive.
 * @throws CheckpointError when the folder holds a run already, or none to resume; PlanError when the plan changed
 */
export async function* runPretraining(options: RunOptions): AsyncGenerator<RunEvent> {
  const { out } = options;
  const isNew = !(await exists(out));
  const lock = await lockFolder(out);
  try {
    yield* lockedRun(options);
  } finally {
    await lock.release();
    if (isNew) await removeIfEmpty(out);
  }
}

async function* lockedRun(options: RunOptions): AsyncGenerator<RunEvent> {
  const checkpoint = await findCheckpoint(options);
  let source: RunSource | undefined;
  try {
    const saved = checkpoint && planFromJson(checkpoint.state.plan, checkpoint.folder);
    const plan = saved ? resumePlan(saved, options.plan) : options.plan;
    source = yield* prepare(options);
    if (source) yield* train({ ...options, plan }, source, checkpoint);
    else yield { type: "end", step: checkpoint?.state.step ?? 0, reason: "interrupted" };
  } finally {
    await source?.close();
    await checkpoint?.close();
  }
}

/** The checkpoint to go on from; undefined for a new run. */
async function findCheckpoint({ out, resume, allowPrevious }: RunOptions): Promise<Resumed | undefined> {
  if (resume) return openLatestCheckpoint(out, { allowPrevious: allowPrevious ?? false });
  const steps = await checkpointSteps(out);
  if (steps.length === 0) return undefined;
  throw new CheckpointError(
    "ERR_VOXELSPARK_CHECKPOINT",
    `${out} already holds a run up to step ${steps.at(-1)}; resume it, or choose another folder`,
  );
}

/** The source; undefined when interrupted before it was ready. */
async function* prepare({ open, signal }: RunOptions): AsyncGenerator<RunEvent, RunSource | undefined> {
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

async function* train(
  { out, plan, device, signal }: RunOptions,
  source: RunSource,
  checkpoint: Resumed | undefined,
): AsyncGenerator<RunEvent> {
  using model = buildS3D(plan, device);
  using optimizer = buildSGD(plan, model);
  const state: PretrainState = { model, optimizer, step: 0 };
  if (checkpoint) await restoreState(state, checkpoint, source.fingerprint);
  await cleanRun(out, state.step);
  await writeFileAtomic(join(out, "plan.json"), planToJson(plan));
  await using log = await MetricsLog.open(join(out, "metrics.jsonl"), checkpoint && state.step);
  const { counts: cases } = source;
  const skipped = checkpoint?.skipped ?? [];
  yield { type: "start", step: state.step, parameters: model.parameterCount(), cases, skipped };
  for await (const step of pretrain(plan, state, source, device)) {
    await log.append(logged(step));
    yield { type: "step", ...step };
    const finished = step.step === plan.steps;
    if (finished || step.step % plan.validation.every === 0)
      yield* validation(log, plan, state, source, device);
    const stop = signal?.aborted === true; // once, so that what ends the loop has been saved
    if (finished || stop || step.step % plan.checkpoint.every === 0) {
      await log.sync();
      const folder = await saveState(out, plan, state, source.fingerprint);
      await drawProgress(join(out, "progress.png"), await readMetrics(log.file), plan);
      yield { type: "checkpoint", step: step.step, folder };
    }
    if (stop) break;
  }
  yield { type: "end", step: state.step, reason: state.step === plan.steps ? "finished" : "interrupted" };
}

/** The line of a step in metrics.jsonl. */
function logged({ learningRate, ...rest }: PretrainStep) {
  return { ...rest, lr: learningRate };
}

async function* validation(
  log: MetricsLog,
  plan: Plan,
  state: PretrainState,
  source: RunSource,
  device: DeviceName,
): AsyncGenerator<RunEvent> {
  if (plan.validation.patches === 0) return;
  const { loss, baseline } = await validate(plan, state.model, source, device);
  await log.append({ step: state.step, validationLoss: loss, validationBaseline: baseline });
  yield { type: "validation", step: state.step, loss, baseline };
}
