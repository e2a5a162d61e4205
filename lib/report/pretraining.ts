/** The page of a pre-training run. */
import type { Metrics } from "../metrics-log";
import type { Directions } from "../pictures/planes";
import type { Plan } from "../plans/plan";
import type { Triple } from "../triple";
import { gradientChart, lossChart, metric, pair, rateChart, timeChart } from "./curves";
import { duration, fixed, percent, planText, sizes, spacing } from "./facts";
import type { Markup } from "./html";
import { absent, facts, type Page, renderPage, type Section, type Tile } from "./page";
import { volumeGrid } from "./planes";

export interface ReconstructedCase {
  name: string;
  shape: Triple;
  spacing: Triple;
  directions: Directions;
  input: Float32Array;
  visible: Uint8Array;
  reconstruction: Float32Array;
  maskedMse: number;
  baselineMse: number;
  ratio: number;
}

export interface PretrainingReport {
  plan: Plan;
  metrics: readonly Metrics[];
  /** Steps of the checkpoints that are kept. */
  checkpoints: readonly number[];
  reconstructions: readonly ReconstructedCase[];
  /** Why there are no reconstructions, or not all. */
  missing: readonly string[];
  footer: string;
}

export function pretrainingPage(report: PretrainingReport): string {
  const { plan, metrics } = report;
  const baseline = metric(metrics, "validationBaseline").at(-1)?.[1];
  const page: Page = {
    kicker: "Pre-training run",
    title: plan.name,
    chips: chips(report),
    lead: `Masked autoencoding with ${sparsity(plan)}: ${percentRange(plan.mask.ratio)} of each patch is hidden in blocks of ${plan.mask.block}³ voxels and reconstructed from the rest.`,
    tiles: tiles(report, baseline),
    sections: [
      {
        title: "Curves",
        note: "Loss: mean squared error over the masked voxels of z-scored patches. The dashed line is the error of predicting the mean of the data: a model below it has learned something.",
        body: [
          lossChart(metrics, plan.steps, {
            unit: "masked MSE",
            ...(baseline === undefined ? {} : { baseline }),
          }),
          pair(rateChart(metrics, plan.steps), gradientChart(metrics, plan.steps)),
        ],
      },
      { title: "Throughput", note: waitNote(metrics), body: timeChart(metrics, plan.steps) },
      reconstructionSection(report),
      { title: "Plan", body: [facts(planFacts(plan)), planText(plan)] },
    ],
    footer: report.footer,
  };
  return renderPage(page);
}

function chips({ plan, metrics, checkpoints }: PretrainingReport): Page["chips"] {
  return [runState(metrics, plan.steps), checkpointState(checkpoints)];
}

/** How far a run is. */
export function runState(metrics: readonly Metrics[], steps: number): Page["chips"][number] {
  const last = metrics.at(-1)?.step ?? 0;
  if (last >= steps) return { text: `finished, ${steps.toLocaleString("en")} steps`, tone: "good" };
  if (last === 0) return { text: "not one step done", tone: "bad" };
  return { text: `step ${last.toLocaleString("en")} of ${steps.toLocaleString("en")}`, tone: "warn" };
}

function checkpointState(steps: readonly number[]): Page["chips"][number] {
  const last = steps.at(-1);
  return last === undefined
    ? { text: "no checkpoint", tone: "warn" }
    : { text: `checkpoint of step ${last.toLocaleString("en")}` };
}

function tiles({ metrics }: PretrainingReport, baseline: number | undefined): Tile[] {
  const [last, held] = [metric(metrics, "loss").at(-1), metric(metrics, "validationLoss").at(-1)];
  const gain = held && baseline ? 1 - held[1] / baseline : undefined;
  return [
    {
      label: "Validation, masked MSE",
      value: fixed(held?.[1]),
      note: baseline === undefined ? "not validated" : `mean prediction ${fixed(baseline)}`,
    },
    {
      label: "Below mean prediction",
      value: gain === undefined ? "–" : percent(gain),
      note: gain !== undefined && gain <= 0 ? "it has not learned yet" : undefined,
    },
    {
      label: "Training, last step",
      value: fixed(last?.[1]),
      note: last && `step ${last[0].toLocaleString("en")}`,
    },
    ...timeTiles(metrics),
  ];
}

/** Time of a run's steps and of waiting for data. */
export function timeTiles(metrics: readonly Metrics[]): Tile[] {
  const seconds = metric(metrics, "seconds").map(([, s]) => s);
  if (seconds.length === 0) return [];
  const total = sum(seconds);
  const middle = [...seconds].sort((a, b) => a - b)[Math.floor(seconds.length / 2)]!;
  return [
    { label: "Time of all steps", value: duration(total), note: `${duration(middle)} a step (median)` },
    { label: "Waiting for data", value: percent(waited(metrics) / total), note: "of the time of all steps" },
  ];
}

export function waitNote(metrics: readonly Metrics[]): string {
  const total = sum(metric(metrics, "seconds").map(([, s]) => s));
  if (total === 0) return "Nothing was timed yet.";
  return `Steps took ${duration(total)} in all, ${duration(waited(metrics))} of it waiting for the loader.`;
}

function waited(metrics: readonly Metrics[]): number {
  return sum(metric(metrics, "dataWaitSeconds").map(([, s]) => s));
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

function reconstructionSection({ reconstructions, missing }: PretrainingReport): Section {
  const grids = reconstructions.map((r) =>
    volumeGrid(
      [
        { label: "input", data: r.input },
        { label: "masked", data: r.input, visible: r.visible },
        { label: "reconstruction", data: r.reconstruction },
      ],
      r,
      `${r.name}: ${percent(r.ratio)} masked, masked MSE ${fixed(r.maskedMse)}, mean prediction ${fixed(r.baselineMse)}`,
    ),
  );
  return {
    title: "Reconstructions",
    note:
      grids.length > 0
        ? "What the newest checkpoint makes of the visible blocks. Visible voxels are shown as they are; patches are filled in one by one."
        : undefined,
    body: [...grids, ...missing.map(absent)] satisfies Markup[],
  };
}

function sparsity({ sparsification: s }: Plan): string {
  const off = [
    ...(s.sparse ? [] : ["sparse convolutions"]),
    ...(s.maskToken ? [] : ["mask tokens"]),
    ...(s.densifyConv ? [] : ["densifying convolutions"]),
  ];
  return off.length === 0 ? "the full S3D sparsification" : `S3D without ${off.join(" and ")}`;
}

function percentRange(ratio: Plan["mask"]["ratio"]): string {
  return typeof ratio === "number"
    ? percent(ratio)
    : `${Number((100 * ratio[0]).toFixed(1))} to ${percent(ratio[1])}`;
}

function planFacts(plan: Plan): [string, string][] {
  const { network, optimizer, mask, validation } = plan;
  return [
    ["Patch, batch", `${sizes(plan.patch)}, ${plan.batch}`],
    ["Steps", plan.steps.toLocaleString("en")],
    ["Network", `${network.features.length} stages: ${network.features.join(", ")}`],
    ["Masked", `${percentRange(mask.ratio)}, blocks of ${mask.block}³, drawn per ${mask.per}`],
    ["Optimizer", `SGD, rate ${optimizer.learningRate}, momentum ${optimizer.momentum}`],
    ["Decay", `poly ${optimizer.polyPower}, weight decay ${optimizer.weightDecay}`],
    ["Voxel size", spacing(plan.preprocessing.spacing)],
    [
      "Augmentation",
      `mirroring, rotation ±${plan.augmentation.rotation.degrees}°, scaling ${plan.augmentation.scaling.range.join("–")}`,
    ],
    ["Validation", `every ${validation.every} steps, ${validation.patches} patches`],
    ["Seed", String(plan.seed)],
    ["Precision", plan.precision],
    ["Winograd", plan.winograd],
    ["Fusion", plan.fusion ? "on" : "off"],
    ["Token folding", plan.tokenFolding ? "on" : "off"],
    ["Upstream parity", plan.upstreamParity ? "on" : "off"],
  ];
}
