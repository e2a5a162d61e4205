import { join } from "node:path";
import type { LabelledSource } from "../data/labelled";
import { CheckpointError, PlanError } from "../errors";
import { exists, writeJsonAtomic } from "../files";
import { type FinetunePlan, resumeFinetunePlan } from "../plans/finetune";
import { type FinetuneStep, finetune } from "../recipes/finetune";
import { buildSegmenter, Tuner } from "../recipes/segmenter";
import { type TransferReport, transferWeights } from "../recipes/transfer";
import { type SegmentationValidation, validateSegmentation } from "../recipes/validate-segmentation";
import type { DeviceName } from "../tensor";
import { evaluateHeldOut, type HeldOutCase, type HeldOutEvent } from "./held-out";
import { finetunePlanOf } from "./load-segmenter";
import { openPretrained } from "./pretrained";
import { drawTuningProgress } from "./progress-picture";
import { saveWeights } from "./train-state";
import {
  runTraining,
  stepLine,
  type Training,
  type TrainingEvent,
  type TrainingOptions,
  type TrainingRun,
} from "./training";

/** Labelled patches, and the files of the cases that the fold holds out. */
export interface TuningSource extends LabelledSource {
  readonly heldOut?: readonly HeldOutCase[];
}

export interface FinetuneOptions extends TrainingOptions<FinetunePlan, TuningSource> {
  /** Run, checkpoint or .safetensors file to start from; needed by a new run unless the plan transfers nothing. */
  pretrained?: string | undefined;
}

/** transfer.json. */
export interface TransferRecord extends TransferReport {
  source: string;
  transfer: FinetunePlan["transfer"];
  /** Training steps that made the weights. */
  step?: number;
}

type Own =
  /** What is odd about the data. */
  | { type: "data"; warnings: readonly string[] }
  | ({ type: "transfer" } & TransferRecord)
  | { type: "final"; step: number; folder: string }
  | HeldOutEvent
  | ({ type: "validation"; step: number } & SegmentationValidation & {
        /** Running mean of `meanDice`; null before there was one. */
        smoothedDice: number | null;
        /** Whether it is the highest so far, which writes best/. */
        best: boolean;
      });
/** What every training tells, and what only fine-tuning does. */
export type FinetuneEvent = TrainingEvent<FinetuneStep> | Own;

/** A network in training, and how it has fared in validation. */
class State extends Tuner {
  smoothedDice: number | null = null;
  bestDice: number | null = null;
}

type Run = TrainingRun<FinetunePlan, State, TuningSource>;

/**
 * Fine-tuning with everything around it: transfer, lock, plan, metrics, validation, checkpoints, resume, and the
 * prediction of the fold's validation cases at the end. A resumed run has the same bits as an uninterrupted one.
 * However it ends, nothing stays open or alive.
 * @throws CheckpointError when the folder holds a run already, or none to resume, or when the pre-trained weights do not
 * fit; PlanError when the plan changed
 */
export async function* runFinetuning(options: FinetuneOptions): AsyncGenerator<FinetuneEvent> {
  if (!options.resume) await requireStart(options); // now, not after hours of preprocessing
  const finetuning: Training<FinetunePlan, State, TuningSource, FinetuneStep, Own> = {
    planOf: finetunePlanOf,
    resumePlan: resumeFinetunePlan,
    build,
    parameters: ({ parameterCount }) => parameterCount,
    begin: (run) => begin(run, options.pretrained),
    steps: ({ plan, state, source, device }) => finetune(plan, state, source, device),
    line: stepLine,
    validate,
    remember: ({ smoothedDice, bestDice, lossScale }) => ({
      ...{ smoothedDice, bestDice },
      ...(lossScale && { lossScale: lossScale.state() }),
    }),
    recall: (state, { smoothedDice, bestDice, lossScale }) => {
      state.lossScale?.load(lossScale);
      Object.assign(state, { smoothedDice: smoothedDice ?? null, bestDice: bestDice ?? null });
    },
    draw: drawTuningProgress,
    end,
  };
  yield* runTraining(finetuning, options);
}

/**
 * @throws CheckpointError when the folder holds results already or the weights cannot be read; PlanError unless weights
 * are given where the plan transfers some, and none else
 */
async function requireStart({ plan: { transfer }, out, pretrained }: FinetuneOptions): Promise<void> {
  if (await exists(join(out, "final")))
    throw new CheckpointError(
      "ERR_VOXELSPARK_CHECKPOINT",
      `${out} already holds the results of a run; choose another folder`,
    );
  if (pretrained !== undefined && transfer !== "none") return (await openPretrained(pretrained)).close();
  if (pretrained === undefined && transfer === "none") return;
  throw new PlanError(
    "ERR_VOXELSPARK_PLAN",
    pretrained === undefined
      ? `Plan: transfer is "${transfer}", which needs pre-trained weights; name them, or set it to "none".`
      : `Plan: transfer must be "encoder" or "encoder+decoder" where pre-trained weights are given, found "none".`,
  );
}

function build(plan: FinetunePlan, device: DeviceName, step: number): State {
  const model = buildSegmenter(plan, device);
  try {
    return new State(plan, model, step);
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** Transfers the pre-trained weights and says what became of each. */
async function* begin(
  { out, plan, state, source: data }: Run,
  path: string | undefined,
): AsyncGenerator<Own> {
  if (data.warnings?.length) yield { type: "data", warnings: data.warnings };
  const { transfer } = plan;
  if (transfer === "none" || path === undefined) return;
  const { source, weights, step, close } = await openPretrained(path);
  try {
    const report = await transferWeights(state.model, weights, transfer);
    const record = { source, ...(step === undefined ? {} : { step }), transfer, ...report };
    await writeJsonAtomic(join(out, "transfer.json"), record);
    yield { type: "transfer", ...record };
  } finally {
    await close();
  }
}

/** Validates on the fixed patches; the best running mean of the Dice so far writes best/. */
async function* validate({ out, log, plan, state, source, device }: Run): AsyncGenerator<Own> {
  if (plan.validation.patches === 0) return;
  const { step } = state;
  const result = await validateSegmentation(plan, state.model, source, device);
  const { smoothing } = plan.validation;
  const { smoothedDice: before } = state;
  if (result.meanDice !== null)
    state.smoothedDice =
      before === null ? result.meanDice : smoothing * before + (1 - smoothing) * result.meanDice;
  const { smoothedDice } = state;
  const best = smoothedDice !== null && smoothedDice > (state.bestDice ?? Number.NEGATIVE_INFINITY);
  if (best) {
    state.bestDice = smoothedDice;
    await saveWeights(join(out, "best"), plan, state, source.fingerprint, { smoothedDice });
  }
  const classes = Object.entries(result.dice).map(([name, dice]) => [`validationDice/${name}`, dice]);
  await log.append({
    step,
    validationLoss: result.loss,
    validationDice: result.meanDice,
    validationDiceSmoothed: smoothedDice,
    ...Object.fromEntries(classes),
  });
  yield { type: "validation", step, ...result, smoothedDice, best };
}

/** Writes final/, whose weights are what is evaluated, and evaluates them on the fold's held-out cases. */
async function* end({ out, plan, state, source, device, signal }: Run): AsyncGenerator<Own> {
  const { model, step } = state;
  const folder = join(out, "final");
  if (!(await exists(folder))) await saveWeights(folder, plan, state, source.fingerprint);
  yield { type: "final", step, folder };
  const { heldOut: cases = [] } = source;
  const validation = join(out, "validation");
  if (cases.length === 0) return;
  model.train(false);
  yield* evaluateHeldOut({ segmenter: { model, plan }, cases, out: validation, device, signal });
}
