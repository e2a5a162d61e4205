import { join } from "node:path";
import type { ChannelFiles } from "../data/channel-files";
import { evaluatePairs } from "../evaluation/folders";
import { type Summary, writeSummary } from "../evaluation/summary";
import { allowedLabels, foregroundOf, ignoreLabel, type LabelScheme } from "../labels";
import type { Region } from "../ops/label-counts";
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

/** What is evaluated of a scheme: every class or region but the background, with its name. */
export function evaluatedRegions(scheme: LabelScheme): { name: string; region: Region }[] {
  return foregroundOf(scheme).map(({ name, labels }) => ({
    name,
    region: labels.length === 1 ? labels[0]! : labels,
  }));
}

/** Surface Dice at this tolerance, in mm. */
const TOLERANCE = 1;

/**
 * Predicts the held-out cases on their own grids and compares them with their references; label maps that are there
 * already are kept. Ends without a summary when aborted.
 * @throws the error of the first case that cannot be predicted: a fold with a case less would be another fold
 */
export async function* evaluateHeldOut(options: HeldOutOptions): AsyncGenerator<HeldOutEvent> {
  const { segmenter, cases, out, device, signal } = options;
  const { labels } = segmenter.plan;
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
  const ignore = ignoreLabel(labels);
  const evaluation = evaluatePairs(pairs, {
    regions: evaluatedRegions(labels).map(({ region }) => region),
    labels: allowedLabels(labels),
    ...(ignore === undefined ? {} : { ignore }),
    tolerance: TOLERANCE,
  });
  for (;;) {
    const next = await evaluation.next();
    if (next.done) {
      const file = join(out, "summary.json");
      await writeSummary(file, next.value);
      yield { type: "summary", file, summary: next.value };
      return;
    }
    const { id, done, total } = next.value;
    yield { type: "evaluated", case: id, done, total };
  }
}
