/**
 * Line charts as inline SVG, without a script: axes with round ticks, a legend, and where the pointer is a line with
 * the values. Each chart is drawn twice, for a wide screen and for a phone, and the style sheet shows the one that fits.
 */
import { type Axis, makeAxis, shortNumber, wholeAxis } from "../pictures/axes";
import { type Column, columnsOf } from "../pictures/columns";
import { html, Markup } from "./html";

export interface Series {
  label: string;
  /** "band" shades the range of the values around their mean; "rule" is one level across the chart. */
  kind: "line" | "points" | "band" | "rule";
  /** 1 … 8: a colour of the style sheet. */
  color: number;
  dashed?: boolean;
  /** By x, ascending. Values that are not finite are left out. */
  points: readonly (readonly [x: number, y: number])[];
}

export interface ChartOptions {
  title: string;
  x: { label: string; low: number; high: number };
  y: { label: string; logarithmic?: boolean; zero?: boolean };
  /** Height of the wide drawing; the narrow one is a little lower. */
  height?: number;
  /** For a place beside another chart. */
  half?: boolean;
}

interface Frame {
  left: number;
  top: number;
  width: number;
  height: number;
  x: Axis;
  y: Axis;
}

const MOST_STOPS = 120; // places where the pointer reads values

/** A figure with both drawings; says so where there is nothing to draw. */
export function chart(series: readonly Series[], options: ChartOptions): Markup {
  const shown = series
    .map((s) => ({ ...s, points: s.points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y)) }))
    .filter((s) => s.points.length > 0);
  const { title, height = 300, half } = options;
  if (shown.length === 0)
    return html`<figure class="chart"><figcaption><b>${title}</b></figcaption><p class="absent">No values yet.</p></figure>`;
  return html`<figure class="chart"><figcaption><b>${title}</b>${legend(shown)}</figcaption>
${drawing(shown, options, half ? 480 : 980, height, "wide")}${drawing(shown, options, 360, Math.min(height, 240), "narrow")}</figure>\n`;
}

function legend(series: readonly Series[]): Markup | undefined {
  if (series.length < 2) return undefined;
  const entries = series.map(
    (s) =>
      html`<span class="key"><svg viewBox="0 0 22 10" class="c${s.color}" aria-hidden="true">${swatch(s)}</svg>${s.label}</span>`,
  );
  return html`<span class="legend">${entries}</span>`;
}

function swatch({ kind, dashed }: Series): Markup {
  if (kind === "band") return html`<rect class="band" y="1" width="22" height="8" rx="2"/>`;
  if (kind === "points")
    return html`<path class="line" d="M0 5H22"/><circle class="dot" cx="11" cy="5" r="3.5"/>`;
  return html`<path class="line${dashed ? " dashed" : ""}" d="M0 5H22"/>`;
}

function drawing(
  series: readonly Series[],
  options: ChartOptions,
  width: number,
  height: number,
  kind: string,
): Markup {
  const frame = frameOf(series, options, width, height);
  const { left, top } = frame;
  const label = `${options.title}: ${series.map((s) => s.label).join(", ")}`;
  return html`<svg class="${kind}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}">
${axes(frame, options)}
${series.map((s) => draw(s, frame))}
<text class="unit" x="${left}" y="${top - 10}">${options.y.label}${frame.y.logarithmic ? " (log)" : ""}</text>
${stops(series, frame, options.x.label)}</svg>`;
}

function frameOf(series: readonly Series[], { x, y }: ChartOptions, width: number, height: number): Frame {
  const [left, top, right, bottom] = [52, 28, 14, 26];
  const inner = { width: width - left - right, height: height - top - bottom };
  const values = series.flatMap((s) => rangeOf(s, x, inner.width));
  const yAxis = makeAxis(y.zero ? [0, ...values] : values, {
    ...(y.logarithmic === undefined ? {} : { logarithmic: y.logarithmic }),
    count: height > 200 ? 5 : 3,
  });
  return {
    left,
    top,
    ...inner,
    x: wholeAxis(x.low, Math.max(x.high, x.low + 1), width > 500 ? 8 : 4),
    y: yAxis,
  };
}

/** What the y axis must show of a series; the spikes of a band's few first values may be cut off. */
function rangeOf(s: Series, x: ChartOptions["x"], width: number): number[] {
  if (s.kind !== "band") return s.points.map(([, value]) => value);
  const columns = columnsOf(s.points, x.low, x.high, bandColumns(s, width));
  const lows = columns.map((c) => c.low).sort((a, b) => a - b);
  const highs = columns.map((c) => c.high).sort((a, b) => a - b);
  return [lows[Math.floor(0.01 * (lows.length - 1))]!, highs[Math.ceil(0.99 * (highs.length - 1))]!];
}

/** A band takes its range over some pixels and some values, lest it have holes. */
function bandColumns({ points }: Series, width: number): number {
  return Math.max(1, Math.floor(Math.min(width / 6, points.length / 4)));
}

function axes({ left, top, width, height, x, y }: Frame, options: ChartOptions): Markup {
  const rows = y.ticks.map((tick) => {
    const at = round(top + height * (1 - y.place(tick)));
    return html`<path class="grid" d="M${left} ${at}h${width}"/><text class="tick end" x="${left - 8}" y="${at + 4}">${shortNumber(tick)}</text>`;
  });
  const columns = x.ticks.map((tick) => {
    const at = round(left + width * x.place(tick));
    return html`<path class="notch" d="M${at} ${top + height}v5"/><text class="tick middle" x="${at}" y="${top + height + 18}">${shortNumber(tick)}</text>`;
  });
  return html`${rows}<path class="axis" d="M${left} ${top + height}h${width}"/>${columns}<text class="tick end" x="${left - 12}" y="${top + height + 18}">${options.x.label}</text>`;
}

function draw(s: Series, frame: Frame): Markup {
  const { left, top, width, height, x, y } = frame;
  const px = (value: number) => round(left + width * x.place(value));
  const py = (value: number) =>
    round(top + height * (1 - Math.max(-0.02, Math.min(1.02, y.place(value) || 0))));
  const columns = columnsOf(s.points, x.low, x.high, s.kind === "band" ? bandColumns(s, width) : width);
  if (s.kind === "band") {
    const upper = columns.map((c) => `${px(c.x)} ${py(c.high)}`);
    const lower = columns.map((c) => `${px(c.x)} ${py(c.low)}`).reverse();
    return html`<path class="band c${s.color}" d="M${[...upper, ...lower].join("L")}Z"/>`;
  }
  if (s.kind === "rule")
    return html`<path class="line c${s.color}${s.dashed ? " dashed" : ""}" d="M${left} ${py(s.points.at(-1)![1])}h${width}"/>`;
  const path = columns.map((c) => `${px(c.x)} ${py(c.mean)}`).join("L");
  const dots =
    s.kind === "points" || columns.length === 1
      ? columns.map((c) => html`<circle class="dot" cx="${px(c.x)}" cy="${py(c.mean)}" r="3.5"/>`)
      : [];
  return html`<g class="c${s.color}"><path class="line${s.dashed ? " dashed" : ""}" d="M${path}"/>${dots}</g>`;
}

/** Invisible columns that, under the pointer, show a line and the values there; a title says the same to screen readers. */
function stops(series: readonly Series[], frame: Frame, xLabel: string): Markup {
  const { left, top, width, height, x } = frame;
  const count = Math.min(MOST_STOPS, Math.max(1, Math.floor(width / 6)));
  const [low, high] = [x.low, x.high];
  const bins: Column[][] = series.map((s) => columnsOf(s.points, low, high, count));
  const marks: Markup[] = [];
  for (let i = 0; i <= count; i++) {
    const inside = bins.map((columns) => columns.find((c) => c.column === i));
    const at = inside.find((c, s) => c !== undefined && series[s]!.kind !== "rule")?.x;
    if (at === undefined) continue;
    const values = series.flatMap((s, n) => {
      const value = s.kind === "rule" ? s.points.at(-1)![1] : inside[n]?.mean;
      return value === undefined ? [] : [`${s.label} ${shortNumber(value)}`];
    });
    const px = round(left + width * x.place(at));
    const text = [`${xLabel} ${shortNumber(Math.round(at))}`, ...values].join("  ·  ");
    const start = round(left + (width * i) / (count + 1));
    marks.push(
      html`<g class="stop"><rect x="${start}" y="${top}" width="${round(width / (count + 1) + 0.5)}" height="${height}"/><path class="cross" d="M${px} ${top}v${height}"/><text class="reading" x="${left + width}" y="${top - 10}">${text}</text><title>${text}</title></g>`,
    );
  }
  return new Markup(marks.map(String).join(""));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
