/** The page of a fine-tuning run. */

import { regionNames } from "../evaluation/folders";
import type { Summary } from "../evaluation/summary";
import { foregroundOf } from "../labels";
import type { Metrics } from "../metrics-log";
import type { FinetunePlan } from "../plans/finetune";
import { gradientChart, lossChart, metric, pair, rateChart, scoreChart, timeChart } from "./curves";
import { caseMean, diceTable } from "./dice-table";
import { fixed, planText, sizes, spacing } from "./facts";
import { html, type Markup } from "./html";
import { overlay, overlayKey, type SegmentedCase } from "./overlay";
import { absent, facts, type Page, renderPage, type Section, type Tile } from "./page";
import { runState, timeTiles, waitNote } from "./pretraining";

/** transfer.json, as far as the page shows it. */
export interface TransferSummary {
  source?: string;
  /** Training steps that made the weights. */
  step?: number;
  loaded: readonly string[];
  adapted: readonly { name: string }[];
  reinitialised: readonly string[];
  skipped: readonly { name: string; why: string }[];
  unexpected: readonly string[];
}

export interface FinetuningReport {
  plan: FinetunePlan;
  metrics: readonly Metrics[];
  transfer: TransferSummary | undefined;
  /** validation/summary.json: the final network on the fold's validation cases. */
  summary: Summary | undefined;
  cases: readonly SegmentedCase[];
  /** What the run lacks, a sentence each. */
  missing: readonly string[];
  footer: string;
}

export function finetuningPage(report: FinetuningReport): string {
  const { plan, metrics } = report;
  const smoothed = metric(metrics, "validationDiceSmoothed").at(-1)?.[1];
  return renderPage({
    kicker: "Fine-tuning run",
    title: plan.name,
    chips: [
      runState(metrics, plan.steps),
      { text: plan.fold === "all" ? "trained on all cases" : `fold ${plan.fold}` },
      {
        text:
          plan.transfer === "none" ? "from scratch" : `pre-trained ${plan.transfer.replace("+", " and ")}`,
      },
    ],
    lead: `Segmentation of ${foregroundOf(plan.labels)
      .map(({ name }) => name)
      .join(", ")}, schedule ${plan.schedule.kind}.`,
    tiles: tiles(report, smoothed),
    sections: [
      diceSection(report),
      overlaySection(report),
      {
        title: "Curves",
        note: "Loss: cross-entropy minus soft Dice. Validation: fixed patches of the held-out cases; its smoothed Dice picks the best checkpoint, the final one is what is evaluated.",
        body: [
          lossChart(metrics, plan.steps, { unit: "loss" }),
          dicePatches(plan, metrics),
          pair(rateChart(metrics, plan.steps), gradientChart(metrics, plan.steps)),
        ],
      },
      { title: "Throughput", note: waitNote(metrics), body: timeChart(metrics, plan.steps) },
      transferSection(report),
      { title: "Plan", body: [facts(planFacts(plan)), planText(plan)] },
    ],
    footer: report.footer,
  } satisfies Page);
}

function tiles({ summary, metrics }: FinetuningReport, smoothed: number | undefined): Tile[] {
  const { foreground_mean: mean } = summary ?? {};
  const nsd = mean?.NSD;
  return [
    {
      label: "Mean Dice",
      value: fixed(mean?.Dice),
      note: summary ? `${summary.metric_per_case.length} validation cases` : "not evaluated",
    },
    ...(typeof nsd === "number" ? [{ label: "Surface Dice", value: fixed(nsd) }] : []),
    { label: "Dice of patches", value: fixed(smoothed), note: "smoothed, last validation" },
    ...timeTiles(metrics),
  ];
}

function diceSection({ summary, plan, missing }: FinetuningReport): Section {
  if (summary === undefined || summary.metric_per_case.length === 0)
    return {
      title: "Dice",
      body: missing.length > 0 ? missing.map(absent) : absent("Nothing was evaluated."),
    };
  return {
    title: "Dice",
    note: "The final network on whole validation cases in their own grid, worst case first. A class that is in neither volume has no value and counts nowhere.",
    body: diceTable(summary, regionNames(plan.labels)),
  };
}

function overlaySection({ cases, plan, missing, summary }: FinetuningReport): Section {
  const regions = foregroundOf(plan.labels).map(({ name, labels }) => ({ name, labels }));
  const pictures: Markup[] = cases.map((shown) => overlay(shown, regions));
  const reasons =
    summary === undefined
      ? [absent("Without an evaluation there is nothing to compare.")]
      : missing.map(absent);
  return {
    title: "Prediction and reference",
    note:
      cases.length > 0
        ? "Each plane is the slice with most foreground of the reference: areas are the reference, lines the prediction."
        : undefined,
    body: cases.length > 0 ? [overlayKey(regions), ...pictures, ...reasons] : reasons,
  };
}

function dicePatches(plan: FinetunePlan, metrics: readonly Metrics[]): Markup {
  const names = foregroundOf(plan.labels).map(({ name }) => name);
  const classes = names.slice(0, 7).map((name, i) => ({
    label: name,
    kind: "line" as const,
    color: i + 2,
    points: metric(metrics, `validationDice/${name}`),
  }));
  const smoothed = {
    label: "mean, smoothed",
    kind: "points" as const,
    color: 1,
    points: metric(metrics, "validationDiceSmoothed"),
  };
  return scoreChart([...classes, smoothed], plan.steps);
}

function transferSection({ transfer, plan }: FinetuningReport): Section {
  const title = "Pre-trained weights";
  if (plan.transfer === "none")
    return { title, body: absent("None: this network was trained from scratch.") };
  if (transfer === undefined) return { title, body: absent("There is no report of the transfer yet.") };
  const { loaded, adapted, reinitialised, skipped, unexpected, source, step } = transfer;
  const from =
    source === undefined ? undefined : `From ${source}${step === undefined ? "" : `, step ${step}`}.`;
  const lists: [string, readonly string[]][] = [
    ["loaded", loaded],
    ["adapted to more channels", adapted.map(({ name }) => name)],
    ["re-initialised", reinitialised],
    ["skipped", skipped.map(({ name, why }) => `${name} (${why})`)],
    ["unexpected", unexpected],
  ];
  const names = lists
    .filter(([, tensors]) => tensors.length > 0)
    .map(
      ([what, tensors]) =>
        html`<details><summary>${tensors.length} ${what}</summary><pre>${tensors.join("\n")}</pre></details>`,
    );
  return {
    title,
    note: from,
    body: [facts(lists.map(([what, list]) => [what, String(list.length)])), ...names],
  };
}

function planFacts(plan: FinetunePlan): [string, string][] {
  const { optimizer, schedule, loss } = plan;
  const supervision = loss.deepSupervision ? ", deep supervision" : "";
  return [
    ["Patch, batch", `${sizes(plan.patch)}, ${plan.batch}`],
    ["Steps", plan.steps.toLocaleString("en")],
    ["Network", `${plan.network.features.length} stages: ${plan.network.features.join(", ")}`],
    ["Channels", plan.channels.join(", ")],
    ["Transfer", plan.transfer],
    ["Schedule", `${schedule.kind}, peak rate ${schedule.learningRate}`],
    ["Optimizer", `SGD, momentum ${optimizer.momentum}, weight decay ${optimizer.weightDecay}`],
    ["Loss", `Dice × ${loss.diceWeight} + cross-entropy × ${loss.crossEntropyWeight}${supervision}`],
    ["Foreground", `${Math.round(100 * plan.foreground)} % of the patches`],
    ["Augmentation", plan.augmentation],
    ["Voxel size", spacing(plan.preprocessing.spacing)],
    ["Seed", String(plan.seed)],
  ];
}

/** What the shown cases are called, by how many there are: the first is the best, the last the worst. */
const EXTREMES = [
  [],
  ["the only case"],
  ["best case", "worst case"],
  ["best case", "median case", "worst case"],
] as const;

/** Best, median and worst case by mean Dice; fewer where there are fewer. */
export function extremeCases(summary: Summary): { index: number; what: string }[] {
  const ranked = summary.metric_per_case
    .map((c, index) => ({ index, mean: caseMean(c) }))
    .filter((c): c is { index: number; mean: number } => c.mean !== null)
    .sort((a, b) => b.mean - a.mean);
  const names = EXTREMES[Math.min(ranked.length, 3) as 0 | 1 | 2 | 3];
  const apart = (ranked.length - 1) / Math.max(names.length - 1, 1);
  return names.map((name, i) => {
    const { index, mean } = ranked[Math.round(i * apart)]!;
    return { index, what: `${name}: mean Dice ${fixed(mean)}` };
  });
}
