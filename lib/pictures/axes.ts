/** Scales of plots: round ticks, linear or logarithmic, and numbers as short as they can be read. */

export interface Axis {
  low: number;
  high: number;
  logarithmic: boolean;
  ticks: number[];
  /** 0 at `low`, 1 at `high`. */
  place: (value: number) => number;
}

/** An axis around values, widened to round ticks. Logarithmic where a linear one would hide most of them. */
export function makeAxis(
  values: readonly number[],
  options: { logarithmic?: boolean; count?: number } = {},
): Axis {
  const finite = values.filter(Number.isFinite);
  const low = finite.length > 0 ? finite.reduce((a, b) => Math.min(a, b)) : 0;
  const high = finite.length > 0 ? finite.reduce((a, b) => Math.max(a, b)) : 1;
  const logarithmic = options.logarithmic ?? (low > 0 && high / low > 20);
  return logarithmic && low > 0 ? logAxis(low, high) : linearAxis(low, high, options.count ?? 6);
}

/** An axis of whole numbers, e.g. steps, with exactly these ends. */
export function wholeAxis(low: number, high: number, count = 8): Axis {
  const step = Math.max(1, niceStep((high - low) / count));
  const ticks = steps(Math.ceil(low / step - 1e-9) * step, high, step);
  return { low, high, logarithmic: false, ticks, place: (value) => (value - low) / (high - low) };
}

function linearAxis(low: number, high: number, count: number): Axis {
  const spread = high - low || Math.abs(high) || 1;
  const step = niceStep(spread / count);
  const first = Math.floor(low / step + 1e-9) * step;
  const last = Math.max(Math.ceil(high / step - 1e-9) * step, first + step);
  return {
    low: first,
    high: last,
    logarithmic: false,
    ticks: steps(first, last, step),
    place: (value) => (value - first) / (last - first),
  };
}

function logAxis(low: number, high: number): Axis {
  const decades = Math.log10(high / low);
  const factors = decades <= 1.5 ? [1, 1.5, 2, 3, 5, 7] : decades <= 4 ? [1, 2, 5] : [1];
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)) - 1; power <= Math.ceil(Math.log10(high)); power++) {
    for (const factor of factors) ticks.push(Number(`${factor}e${power}`));
  }
  const first = ticks.filter((tick) => tick <= low * 1.0001).at(-1)!;
  const last = ticks.find((tick) => tick >= high * 0.9999 && tick > first)!;
  const span = Math.log(last / first);
  return {
    low: first,
    high: last,
    logarithmic: true,
    ticks: ticks.filter((tick) => tick >= first && tick <= last),
    place: (value) => Math.log(value / first) / span,
  };
}

/** 1, 2 or 5 times a power of ten, not below `raw`. */
function niceStep(raw: number): number {
  const power = Math.floor(Math.log10(raw));
  const factor = [1, 2, 5, 10].find((f) => f * 10 ** power >= raw * 0.9999) ?? 10;
  return Number(`${factor}e${power}`);
}

function steps(first: number, last: number, step: number): number[] {
  const count = Math.floor((last - first) / step + 1e-6) + 1;
  return Array.from({ length: count }, (_, i) => Number((first + i * step).toPrecision(12)));
}

/** "250k", "1.5M", "0.02", "3e-5". */
export function shortNumber(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${trim(value / 1e6)}M`;
  if (size >= 1e4) return `${trim(value / 1e3)}k`;
  if (size !== 0 && size < 1e-3) {
    const [mantissa, exponent] = value.toExponential(2).split("e");
    return `${trim(Number(mantissa))}e${Number(exponent)}`;
  }
  return trim(value);
}

function trim(value: number): string {
  return String(Number(value.toPrecision(4)));
}
