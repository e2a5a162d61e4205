/** Gathers what a run left behind and writes its page. */
import { access } from "node:fs/promises";
import { join } from "node:path";
import { checkpointSteps } from "../checkpoints/train-state";
import { DataError } from "../errors";
import { exists, guarded, readTextFile, writeFileAtomic } from "../files";
import { JsonError, parseJson } from "../json";
import { type Metrics, readMetrics } from "../metrics-log";
import { MAX_PLAN_BYTES, planFromJson } from "../plans/plan";
import { footer } from "../report/page";
import { pretrainingPage } from "../report/pretraining";
import type { DeviceName } from "../tensor";
import { reconstructCases } from "./report-cases";
import { finetuningReport } from "./report-finetuning";

export interface ReportOptions {
  /** Run folder of pre-training or fine-tuning. */
  run: string;
  /** Where to write; default: report.html in the run folder. */
  out?: string | undefined;
  /** Images or case folder for pictures; default: what the run keeps. */
  data?: string | undefined;
  /** Most cases with a picture. */
  cases?: number | undefined;
  device: DeviceName;
}

/** Work on a picture, which may take longer than the rest. */
export interface ReportStep {
  done: number;
  total: number;
  note: string;
}

export interface ReportResult {
  file: string;
  /** What the page lacks, as it says itself. */
  missing: string[];
}

/**
 * Writes the page of a run.
 * @throws DataError when the folder holds no run; PlanError, FormatError when its files are damaged
 */
export async function* writeReport(options: ReportOptions): AsyncGenerator<ReportStep, ReportResult> {
  const { run, out = join(run, "report.html") } = options;
  const plan = await readPlan(run);
  if (options.data !== undefined) await requireReadable(options.data);
  const metrics = await metricsOf(run);
  const tuned = (plan as { kind?: unknown } | null)?.kind === "finetune";
  const { page, missing } = tuned
    ? yield* finetuningReport(options, plan, metrics)
    : yield* pretrainingReport(options, plan, metrics);
  await writeFileAtomic(out, page);
  return { file: out, missing };
}

async function* pretrainingReport(
  options: ReportOptions,
  json: unknown,
  metrics: Metrics[],
): AsyncGenerator<ReportStep, { page: string; missing: string[] }> {
  const { run } = options;
  const plan = planFromJson(json, join(run, "plan.json"));
  const checkpoints = await checkpointSteps(run);
  const { reconstructions, missing } = yield* reconstructCases(options, plan, checkpoints);
  const report = { plan, metrics, checkpoints, reconstructions, missing, footer: footer(`from ${run}`) };
  return { page: pretrainingPage(report), missing };
}

/** What a run lacks, its page says; what the caller named must be there. */
async function requireReadable(path: string): Promise<void> {
  await guarded(path, "read", () => access(path));
}

/** @throws DataError when `run` is no run folder or its plan is not JSON */
async function readPlan(run: string): Promise<unknown> {
  const file = join(run, "plan.json");
  if (!(await exists(file)))
    throw new DataError(
      "ERR_VOXELSPARK_DATA",
      `${run} is no run folder: it has no plan.json. Give the --out folder of pretrain or finetune.`,
    );
  try {
    return parseJson(await readTextFile(file, MAX_PLAN_BYTES));
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw new DataError("ERR_VOXELSPARK_DATA", `${file}: ${error.message}`, { cause: error });
  }
}

async function metricsOf(run: string): Promise<Metrics[]> {
  const file = join(run, "metrics.jsonl");
  return (await exists(file)) ? readMetrics(file) : [];
}
