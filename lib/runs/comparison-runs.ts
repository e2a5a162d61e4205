/** Single runs of a comparison: new, resumed or left as they are. */
import { join } from "node:path";
import { checkpointSteps } from "../checkpoints/train-state";
import type { LabelledDataset } from "../data/dataset-json";
import { regionNames } from "../evaluation/folders";
import { readSummary } from "../evaluation/read-summary";
import type { Summary } from "../evaluation/summary";
import { exists } from "../files";
import { readMetrics } from "../metrics-log";
import { type FinetuningRun, keyOf, type PretrainingRun, slug } from "../plans/experiment-runs";
import { createFinetunePlan, type FinetunePlan, mergeFinetuneInputs } from "../plans/finetune";
import type { DeviceName } from "../tensor";
import { openCases, resolvePreprocessing } from "./cases";
import { type FinetuneEvent, runFinetuning } from "./finetuning";
import { summaryFile } from "./held-out";
import { openLabelledCases, resolveSpacing } from "./labelled-cases";
import { inputFromWeights } from "./pretrained";
import { type RunEvent, runPretraining } from "./pretraining";

export interface RunContext {
  out: string;
  device: DeviceName;
  signal?: AbortSignal | undefined;
  /** Of pre-training. */
  images: string | undefined;
  /** Whether all pre-trainings preprocess alike, so that one folder of cases serves all. */
  sharedCases: boolean;
}

export type RunStep =
  | { type: "run"; kind: "pretraining" | "finetuning"; title: string; steps: number; state: RunState }
  | { type: "training"; event: RunEvent | FinetuneEvent };

/** "finished": nothing was left to do. */
export type RunState = "new" | "resumed" | "finished";

/** A fine-tuning whose plan is complete. */
export interface PlannedRun extends FinetuningRun {
  plan: FinetunePlan;
  data: LabelledDataset;
  title: string;
}

/** Completes the plan of a run by what its data set and its pre-trained network say. @throws PlanError */
export async function planRun(run: FinetuningRun, data: LabelledDataset): Promise<PlannedRun> {
  const { method, dataset, seed, fold, weights, preset } = run;
  const title = `${method}, ${dataset}, seed ${seed}, fold ${fold}`;
  const { channels, labels } = data;
  const inherited = typeof weights === "string" ? await inputFromWeights(weights) : {};
  const input = [inherited, run.input, { channels, labels }].reduce(mergeFinetuneInputs);
  const plan = createFinetunePlan(input, preset, `Experiment, ${title}`);
  return { ...run, data, title, plan: await resolveSpacing(plan, data) };
}

/** Pre-trains unless that was done. */
export async function* pretrainOne(
  { folder, plan: planned, methods }: PretrainingRun,
  { out: root, device, signal, images, sharedCases }: RunContext,
): AsyncGenerator<RunStep> {
  const out = join(root, folder);
  const steps = await stepsDone(out);
  const title = `pre-training of ${methods.join("; ")}, seed ${planned.seed}`;
  const state = stateOf(steps, planned.steps);
  yield { type: "run", kind: "pretraining", title, steps: planned.steps, state };
  if (state === "finished") return;
  const plan = await resolvePreprocessing(planned, images!);
  const open = () => openCases(images!, sharedCases ? join(root, "pretraining") : out, plan);
  const resume = state === "resumed";
  for await (const event of runPretraining({ plan, out, open, device, resume, signal }))
    yield { type: "training", event };
}

/** Fine-tunes, predicts and evaluates unless that was done; undefined when interrupted. */
export async function* tuneOne(
  run: PlannedRun,
  { out: root, device, signal }: RunContext,
): AsyncGenerator<RunStep, { summary: Summary; names: Record<string, string>; seconds: number } | undefined> {
  const { plan, data, folder, weights, title } = run;
  const out = join(root, folder);
  const file = summaryFile(out);
  const state = (await exists(file)) ? "finished" : (await stepsDone(out)) > 0 ? "resumed" : "new";
  yield { type: "run", kind: "finetuning", title, steps: plan.steps, state };
  if (state !== "finished") {
    const cases = join(root, "cases", `${slug(run.dataset)}-${keyOf(run.source, plan.preprocessing)}`);
    const open = () => openLabelledCases(plan, data, cases);
    const pretrained = typeof weights === "object" ? join(root, weights.folder) : weights;
    const resume = state === "resumed";
    for await (const event of runFinetuning({ plan, out, open, device, pretrained, resume, signal }))
      yield { type: "training", event };
    if (!(await exists(file))) return undefined;
  }
  const metrics = await readMetrics(join(out, "metrics.jsonl"));
  const seconds = metrics.reduce((sum, m) => sum + (typeof m.seconds === "number" ? m.seconds : 0), 0);
  return { summary: await readSummary(file), names: regionNames(plan.labels), seconds };
}

async function stepsDone(out: string): Promise<number> {
  return (await exists(out)) ? ((await checkpointSteps(out)).at(-1) ?? 0) : 0;
}

function stateOf(done: number, steps: number): RunState {
  if (done === 0) return "new";
  return done >= steps ? "finished" : "resumed";
}
