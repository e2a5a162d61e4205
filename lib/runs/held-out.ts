import { join } from "node:path";
import type { ChannelFiles } from "../data/channel-files";
import { evaluatePairs, optionsOf } from "../evaluation/folders";
import { readSummary } from "../evaluation/read-summary";
import { type Summary, writeSummary } from "../evaluation/summary";
import { exists } from "../files";
import type { DeviceName } from "../tensor";
import { type PredictionEvent, type PredictionModel, runPrediction } from "./prediction";

/** A case of a fold that did not train: its channel files and its label map. */
export interface HeldOutCase extends ChannelFiles {
  readonly label: string;
}

export interface HeldOutOptions {
  segmenter: PredictionModel;
  cases: readonly HeldOutCase[];
  /** Folder for label maps and summary.json. */
  out: string;
  device: DeviceName;
  signal?: AbortSignal | undefined;
}

export type HeldOutEvent =
  | Exclude<PredictionEvent, { type: "end" }>
  | { type: "evaluated"; case: string; done: number; total: number }
  | { type: "summary"; file: string; summary: Summary };

/** Where a fine-tuning run keeps how its held-out cases were predicted. */
export const summaryFile = (run: string) => join(run, "validation", "summary.json");

/** Surface Dice at this tolerance, in mm. */
const TOLERANCE = 1;

/**
 * Predicts the held-out cases on their own grids and compares them with their references; label maps and a summary that
 * are there already are kept. Ends without a summary when aborted.
 * @throws the error of the first case that cannot be predicted: a fold with a case less would be another fold
 */
export async function* evaluateHeldOut(options: HeldOutOptions): AsyncGenerator<HeldOutEvent> {
  const { segmenter, cases, out, device, signal } = options;
  const { labels, preprocessing } = segmenter.plan;
  const file = join(out, "summary.json");
  if (await exists(file)) {
    yield { type: "summary", file, summary: await readSummary(file) };
    return;
  }
  const run = { models: [segmenter], cases, out, device, skipFinished: true, signal };
  for await (const event of runPrediction(run)) {
    if (event.type !== "end") yield event;
    else if (event.reason === "interrupted") return;
    if (event.type === "case" && event.error) throw event.error;
  }
  const pairs = cases.map(({ id, label }) => ({
    id,
    prediction: join(out, `${id}.nii.gz`),
    reference: label,
  }));
  const evaluation = evaluatePairs(pairs, {
    ...optionsOf(labels, TOLERANCE),
    geometry: preprocessing.geometry,
  });
  for (;;) {
    const next = await evaluation.next();
    if (next.done) {
      await writeSummary(file, next.value);
      yield { type: "summary", file, summary: next.value };
      return;
    }
    const { id, done, total } = next.value;
    yield { type: "evaluated", case: id, done, total };
  }
}
