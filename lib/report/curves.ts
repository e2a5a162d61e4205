/** The charts of a run's metrics.jsonl. */
import type { Metrics } from "../metrics-log";
import { columnsOf, smoothed } from "../pictures/columns";
import { chart, type Series } from "./chart";
import { html, type Markup } from "./html";

type Points = [x: number, y: number][];

/** The numbers that a metric took, by step. */
export function metric(metrics: readonly Metrics[], name: string, factor = 1): Points {
  return metrics.flatMap((m) => {
    const value = m[name];
    return typeof value === "number" ? [[m.step, value * factor] as [number, number]] : [];
  });
}

/** A noisy curve as the range of its values and their running mean. */
function noisy(label: string, points: Points, steps: number, color: number): Series[] {
  const columns = columnsOf(points, 0, steps, 400);
  const mean = smoothed(columns).map((c) => [c.x, c.mean] as const);
  return [
    { label: `${label}, range`, kind: "band", color, points },
    { label: `${label}, mean`, kind: "line", color, points: mean },
  ];
}

function stepAxis(steps: number) {
  return { label: "step", low: 0, high: Math.max(1, steps) };
}

/** Training and validation loss; `baseline` is what predicting the mean would cost. */
export function lossChart(
  metrics: readonly Metrics[],
  steps: number,
  { unit, baseline, validation = "validationLoss" }: { unit: string; baseline?: number; validation?: string },
): Markup {
  const held = metric(metrics, validation);
  const series: Series[] = noisy("training", metric(metrics, "loss"), steps, 1);
  if (held.length > 0) series.push({ label: "validation", kind: "points", color: 2, points: held });
  if (baseline !== undefined)
    series.push({
      label: "mean prediction",
      kind: "rule",
      color: 3,
      dashed: true,
      points: [[steps, baseline]],
    });
  return chart(series, { title: "Loss", x: stepAxis(steps), y: { label: unit }, height: 340 });
}

export function rateChart(metrics: readonly Metrics[], steps: number): Markup {
  const points = metric(metrics, "lr");
  return chart([{ label: "learning rate", kind: "line", color: 4, points }], {
    title: "Learning rate",
    x: stepAxis(steps),
    y: { label: "rate", logarithmic: false, zero: true },
    height: 220,
    half: true,
  });
}

export function gradientChart(metrics: readonly Metrics[], steps: number): Markup {
  return chart(noisy("gradient", metric(metrics, "gradientNorm"), steps, 5), {
    title: "Gradient norm",
    x: stepAxis(steps),
    y: { label: "L2 norm before clipping" },
    height: 220,
    half: true,
  });
}

export function timeChart(metrics: readonly Metrics[], steps: number): Markup {
  const waited = metric(metrics, "dataWaitSeconds", 1000);
  const series = noisy("step", metric(metrics, "seconds", 1000), steps, 7);
  if (waited.length > 0) {
    const mean = columnsOf(waited, 0, steps, 100).map((c) => [c.x, c.mean] as const);
    series.push({ label: "waiting for data", kind: "line", color: 6, points: mean });
  }
  return chart(series, {
    title: "Time of a step",
    x: stepAxis(steps),
    y: { label: "milliseconds", logarithmic: false, zero: true },
    height: 220,
  });
}

/** Dice of the validation patches, of each class if logged, and the average that picks the best checkpoint. */
export function scoreChart(series: readonly Series[], steps: number): Markup {
  return chart(series, {
    title: "Validation Dice",
    x: stepAxis(steps),
    y: { label: "Dice", logarithmic: false, zero: true },
    height: 260,
  });
}

/** Charts two beside each other where there is room. */
export function pair(...charts: Markup[]): Markup {
  return html`<div class="charts pair">${charts}</div>`;
}
