/** `progress.png`: loss and learning rate over the steps of a run. */
import { requireOptions } from "../arguments";
import { type Axis, makeAxis, shortNumber, wholeAxis } from "./axes";
import { Canvas, type Color, type Point, textWidth } from "./canvas";
import { type Column, columnsOf, smoothed } from "./columns";

export interface ProgressPoint {
  step: number;
  /** Training loss; missing or non-finite values are gaps. */
  loss?: number | null;
  learningRate?: number | null;
  validationLoss?: number | null;
  /** Mean Dice of validation; where any point has it, a panel shows it. */
  dice?: number | null;
  /** Running mean of `dice`. */
  smoothDice?: number | null;
}

export interface ProgressOptions {
  title?: string;
  /** What the loss is; default "masked MSE". */
  quantity?: string;
  /** Loss of predicting the mean, drawn as a dashed line: what a model must beat to have learned anything. */
  baseline?: number;
  /** Length of the whole run; the axis then shows how far it is. */
  steps?: number;
  width?: number;
  height?: number;
}

const INK: Color = [45, 48, 56];
const GRID: Color = [228, 230, 235];
const TRAIN: Color = [31, 98, 190];
const TRAIN_LIGHT: Color = [168, 196, 232];
const VALIDATION: Color = [214, 96, 20];
const BASELINE: Color = [120, 124, 132];
const RATE: Color = [46, 139, 87];

interface Panel {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Draws the curves of a run; an empty one gives empty axes. Returns a PNG. */
export function renderProgress(points: readonly ProgressPoint[], options: ProgressOptions = {}): Buffer {
  requireOptions(options, "renderProgress: options");
  const { width = 1200, height = 760, title = "Pre-training" } = options;
  const canvas = new Canvas(width, height);
  const last = points.reduce((max, point) => Math.max(max, point.step), 1);
  const steps = wholeAxis(0, Math.max(options.steps ?? 0, last));
  const left = 116;
  const hasDice = points.some((point) => isNumber(point.dice));
  const share = hasDice ? 0.48 : 0.74;
  const loss: Panel = {
    x: left,
    y: 92,
    width: width - left - 40,
    height: Math.round((height - 200) * share),
  };
  const below = ({ y, height }: Panel) => y + height + 34;
  const dice: Panel = { ...loss, y: below(loss), height: Math.round((height - 200) * 0.24) };
  const rateTop = below(hasDice ? dice : loss);
  const rate: Panel = { ...loss, y: rateTop, height: height - rateTop - 58 };

  canvas.text(title, left, 18, { scale: 3, color: INK });
  drawLoss(canvas, loss, steps, points, options);
  if (hasDice) drawDice(canvas, dice, steps, points);
  drawRate(canvas, rate, steps, points);
  drawSteps(canvas, rate, steps);
  return canvas.toPng();
}

/** What the panel of losses shows. */
interface Losses {
  readonly training: readonly Column[];
  readonly smooth: readonly Column[];
  readonly validation: readonly ProgressPoint[];
  readonly baseline: number | undefined;
}

function drawLoss(
  canvas: Canvas,
  panel: Panel,
  steps: Axis,
  points: readonly ProgressPoint[],
  { baseline, quantity = "masked MSE" }: ProgressOptions,
): void {
  const training = curve(points, steps, panel.width, (point) => point.loss);
  const validation = points.filter((point) => isNumber(point.validationLoss));
  const losses: Losses = { training, smooth: smoothed(training), validation, baseline };
  const axis = makeAxis(shownLosses(losses));
  drawAxes(canvas, panel, steps, axis, axis.logarithmic ? `${quantity} (log)` : quantity);
  const place = placer(panel, steps, axis);
  if (baseline !== undefined)
    canvas.polyline([place(steps.low, baseline), place(steps.high, baseline)], BASELINE, 2, [12, 8]);
  drawLossCurves(canvas, losses, place, training.length < panel.width / 3);
  drawLegend(canvas, panel, lossLegend(losses));
}

/** The axis covers the smooth line; single outliers of single steps may leave it. */
function shownLosses({ training, smooth, validation, baseline }: Losses): number[] {
  const all = (value: (column: Column) => number) => training.map(value);
  return [
    ...smooth.map((column) => column.mean),
    ...quantiles(
      all((column) => column.high),
      0.98,
    ),
    ...quantiles(
      all((column) => column.low),
      0.02,
    ),
    ...validation.map((point) => point.validationLoss!),
    ...(baseline === undefined ? [] : [baseline]),
  ];
}

function drawLossCurves(
  canvas: Canvas,
  { training, smooth, validation }: Losses,
  place: ReturnType<typeof placer>,
  sparse: boolean,
): void {
  const means = (columns: readonly Column[]) => columns.map((column) => place(column.x, column.mean));
  for (const { x, low, high } of training) canvas.polyline([place(x, low), place(x, high)], TRAIN_LIGHT, 1.5);
  if (sparse) canvas.polyline(means(training), TRAIN_LIGHT, 1.5);
  canvas.polyline(means(smooth), TRAIN, 3);
  if (smooth.length === 1) canvas.disc(means(smooth)[0]!, 4, TRAIN);
  const held = validation.map((point) => place(point.step, point.validationLoss!));
  canvas.polyline(held, VALIDATION, 2);
  for (const point of held) canvas.disc(point, 4, VALIDATION);
}

/** The name of a line. */
interface LegendEntry {
  text: string;
  color: Color;
  dashed?: boolean;
}

/** The last value of each curve. */
function lossLegend({ smooth, validation, baseline }: Losses): LegendEntry[] {
  const entries: LegendEntry[] = [];
  const latest = smooth.at(-1);
  if (latest) entries.push({ text: `training, smoothed: ${shortNumber(latest.mean)}`, color: TRAIN });
  const held = validation.at(-1);
  if (held) entries.push({ text: `validation: ${shortNumber(held.validationLoss!)}`, color: VALIDATION });
  if (baseline !== undefined)
    entries.push({ text: `mean prediction: ${shortNumber(baseline)}`, color: BASELINE, dashed: true });
  return entries;
}

function drawDice(canvas: Canvas, panel: Panel, steps: Axis, points: readonly ProgressPoint[]): void {
  const axis = makeAxis([0, 1], { logarithmic: false, count: 3 });
  drawAxes(canvas, panel, steps, axis, "Dice");
  const place = placer(panel, steps, axis);
  const line = (value: (point: ProgressPoint) => number | null | undefined) =>
    points.filter((point) => isNumber(value(point))).map((point) => place(point.step, value(point)!));
  canvas.polyline(
    line((point) => point.dice),
    TRAIN_LIGHT,
    1.5,
  );
  const smooth = line((point) => point.smoothDice);
  canvas.polyline(smooth, VALIDATION, 2.5);
  for (const point of smooth.slice(-1)) canvas.disc(point, 4, VALIDATION);
}

function drawRate(canvas: Canvas, panel: Panel, steps: Axis, points: readonly ProgressPoint[]): void {
  const rates = curve(points, steps, panel.width, (point) => point.learningRate);
  const axis = makeAxis([0, ...rates.map((column) => column.high)], { logarithmic: false, count: 3 });
  drawAxes(canvas, panel, steps, axis, "lr");
  const place = placer(panel, steps, axis);
  canvas.polyline(
    rates.map((column) => place(column.x, column.mean)),
    RATE,
    2.5,
  );
}

function drawAxes(canvas: Canvas, panel: Panel, steps: Axis, axis: Axis, label: string): void {
  const { x, y, width, height } = panel;
  for (const tick of axis.ticks) {
    const row = Math.round(y + height * (1 - axis.place(tick)));
    canvas.rect(x, row, width, 1, GRID);
    canvas.text(shortNumber(tick), x - 10, row - 6, { align: "right", color: INK });
  }
  for (const tick of steps.ticks) {
    const column = Math.round(x + width * steps.place(tick));
    canvas.rect(column, y, 1, height, GRID);
  }
  canvas.rect(x, y, 1, height + 1, INK);
  canvas.rect(x, y + height, width + 1, 1, INK);
  canvas.text(label, 14, y + height / 2, { vertical: true, align: "center", color: INK });
}

/** The numbers of the steps below the last panel. */
function drawSteps(canvas: Canvas, { x, y, width, height }: Panel, steps: Axis): void {
  const below = y + height;
  for (const tick of steps.ticks) {
    const column = Math.round(x + width * steps.place(tick));
    canvas.text(shortNumber(tick), column, below + 10, { align: "center", color: INK });
  }
  canvas.text("step", x + width / 2, below + 34, { align: "center", color: INK });
}

/** One row above the panel, where it can hide nothing. */
function drawLegend(canvas: Canvas, panel: Panel, entries: readonly LegendEntry[]): void {
  let x = panel.x;
  const middle = panel.y - 26;
  for (const { text, color, dashed } of entries) {
    canvas.polyline(
      [
        [x, middle],
        [x + 30, middle],
      ],
      color,
      3,
      dashed ? [8, 5] : undefined,
    );
    canvas.text(text, x + 40, middle - 7, { color: INK });
    x += 40 + textWidth(text) + 36;
  }
}

function placer(panel: Panel, steps: Axis, axis: Axis): (step: number, value: number) => Point {
  return (step, value) => {
    const up = Math.max(0, Math.min(1, axis.place(value)));
    return [
      panel.x + panel.width * steps.place(step),
      panel.y + panel.height * (1 - (Number.isNaN(up) ? 1 : up)),
    ];
  };
}

/** The finite values of a curve by pixel column. */
function curve(
  points: readonly ProgressPoint[],
  steps: Axis,
  width: number,
  value: (point: ProgressPoint) => number | null | undefined,
): Column[] {
  const known = points.flatMap((point) => {
    const v = value(point);
    return isNumber(v) ? [[point.step, v] as const] : [];
  });
  return columnsOf(known, steps.low, steps.high, width);
}

function quantiles(values: readonly number[], share: number): number[] {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length === 0 ? [] : [sorted[Math.floor(share * (sorted.length - 1))]!];
}

function isNumber(value: number | null | undefined): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
