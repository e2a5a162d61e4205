import { join } from "node:path";
import { type Checkpoint, checkpointSteps, cleanRun, openLatestCheckpoint } from "../checkpoints/train-state";
import { CheckpointError, DataError } from "../errors";
import { ensureFolder, writeFileAtomic } from "../files";
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
  fingerprint: string;
}

export interface RunOptions {
  plan: Plan;
  /** Run folder: plan.json, metrics.jsonl, progress.png, step-XXXXXXXX/. */
  out: string;
  source: RunSource;
  device: DeviceName;
  /** Go on from the newest checkpoint in `out`. */
  resume?: boolean;
  /** With `resume`: go back past damaged checkpoints. */
  allowPrevious?: boolean;
  /** When aborted, the step under way is finished, a checkpoint written and the run ends as "interrupted". */
  signal?: AbortSignal;
}

export type RunEvent =
  | { type: "start"; step: number; parameters: number }
  | ({ type: "step" } & PretrainStep)
  | { type: "validation"; step: number; loss: number; baseline: number }
  | { type: "checkpoint"; step: number; folder: string }
  | { type: "end"; step: number; reason: "finished" | "interrupted" };

/**
 * Pre-training with everything around it: lock, plan, metrics, validation, checkpoints, resume.
 * A resumed run has the same bits as an uninterrupted one.
 * @throws CheckpointError when the folder holds a run already, or none to resume; PlanError when the plan changed
 */
export async function* runPretraining(options: RunOptions): AsyncGenerator<RunEvent> {
  await ensureFolder(options.out);
  const lock = await lockFolder(options.out);
  try {
    yield* lockedRun(options);
  } finally {
    await lock.release();
  }
}

async function* lockedRun(options: RunOptions): AsyncGenerator<RunEvent> {
  const { out, source, device, signal } = options;
  const checkpoint = await findCheckpoint(options);
  const plan = checkpoint
    ? resumePlan(planFromJson(checkpoint.state.plan, checkpoint.folder), options.plan)
    : options.plan;
  const model = buildS3D(plan, device);
  const optimizer = buildSGD(plan, model);
  const state: PretrainState = { model, optimizer, step: checkpoint?.state.step ?? 0 };
  let log: MetricsLog | undefined;
  try {
    if (checkpoint) await restoreState(state, checkpoint, source.fingerprint);
    await cleanRun(out, state.step);
    await writeFileAtomic(join(out, "plan.json"), planToJson(plan));
    log = await MetricsLog.open(join(out, "metrics.jsonl"), checkpoint ? state.step : undefined);
    yield { type: "start", step: state.step, parameters: model.parameterCount() };
    const save = () => saveState(out, plan, state, source.fingerprint);
    let saved = state.step;
    for await (const step of pretrain(plan, state, source, device)) {
      await log.append(logged(step));
      yield { type: "step", ...step };
      const last = step.step === plan.steps || signal?.aborted === true;
      if (step.step % plan.validation.every === 0 || step.step === plan.steps)
        yield* validation(log, plan, state, source, device);
      if (last || step.step % plan.checkpoint.every === 0) {
        yield { type: "checkpoint", step: step.step, folder: await save() };
        saved = step.step;
        await drawProgress(join(out, "progress.png"), await readMetrics(log.file), plan);
      }
      if (signal?.aborted) break;
    }
    if (saved !== state.step)
      throw new DataError("ERR_VOXELSPARK_INTERNAL", `step ${state.step} was not saved`);
    yield { type: "end", step: state.step, reason: state.step === plan.steps ? "finished" : "interrupted" };
  } finally {
    await log?.close();
    await checkpoint?.close();
    optimizer.dispose();
    model.dispose();
  }
}

/** The line of a step in metrics.jsonl. */
function logged({ learningRate, ...rest }: PretrainStep) {
  return { ...rest, lr: learningRate };
}

async function findCheckpoint({ out, resume, allowPrevious }: RunOptions): Promise<Checkpoint | undefined> {
  if (resume) return openLatestCheckpoint(out, { allowPrevious: allowPrevious ?? false });
  const steps = await checkpointSteps(out);
  if (steps.length > 0)
    throw new CheckpointError(
      "ERR_VOXELSPARK_CHECKPOINT",
      `${out} already holds a run up to step ${steps.at(-1)}; resume it, or choose another folder`,
    );
  return undefined;
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
