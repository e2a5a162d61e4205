/**
 * The table of a comparison (method.md §8): Dice of each method on each data set, their average, and the average rank.
 * Spread is the sample standard deviation over seeds.
 */

/** What one seed of a method reached on a data set; null: not (yet) known, or undefined since a class is in no case. */
export interface Score {
  method: string;
  dataset: string;
  seed: number;
  /** Foreground mean Dice from 0 to 1, pooled over the cases of all folds. */
  dice: number | null;
}

export interface Spread {
  mean: number;
  /** null with fewer than two values. */
  sd: number | null;
  count: number;
}

export interface ComparisonRow {
  method: string;
  /** By data set. */
  dice: Record<string, Spread | null>;
  /** Over the data sets of each seed, then over seeds; null unless every data set and seed has a value. */
  average: Spread | null;
  /**
   * Mean over data sets of the rank by mean Dice among the complete methods, with the spread of what single seeds give;
   * null as `average`.
   */
  rank: Spread | null;
}

export interface ComparisonTable {
  datasets: string[];
  rows: ComparisonRow[];
}

/** Ranks, 1 the highest value; equal values share the mean of their ranks, null gets none. */
export function averageRanks(values: readonly (number | null)[]): (number | null)[] {
  return values.map((value) => {
    if (value === null) return null;
    const above = values.filter((other) => other !== null && other > value).length;
    const equal = values.filter((other) => other === value).length;
    return above + (equal + 1) / 2;
  });
}

export function spreadOf(values: readonly number[]): Spread | null {
  const count = values.length;
  if (count === 0) return null;
  const mean = values.reduce((a, b) => a + b, 0) / count;
  const squares = values.reduce((sum, v) => sum + (v - mean) ** 2, 0);
  return { mean, sd: count < 2 ? null : Math.sqrt(squares / (count - 1)), count };
}

/** One row a method, in the order given. */
export function comparisonTable(
  scores: readonly Score[],
  methods: readonly string[],
  datasets: readonly string[],
): ComparisonTable {
  const seeds = [...new Set(scores.map(({ seed }) => seed))];
  const known = new Map(scores.map((s) => [keyOf(s.method, s.dataset, s.seed), s.dice]));
  const diceOf = (method: string, dataset: string, seed: number) =>
    known.get(keyOf(method, dataset, seed)) ?? null;
  const cell = (method: string, dataset: string) =>
    spreadOf(seeds.map((seed) => diceOf(method, dataset, seed)).filter((v) => v !== null));
  const averagesOf = (method: string) =>
    seeds.map((seed) => meanOf(datasets.map((d) => diceOf(method, d, seed))));
  // An unfinished method takes no part in the ranking, lest ranks change with what happens to be there.
  const complete = methods.filter((m) => averagesOf(m).every((v) => v !== null));
  const ranks = meanRanks(complete, datasets, (m, d) => cell(m, d)?.mean ?? null);
  const seedRanks = seeds.map((seed) => meanRanks(complete, datasets, (m, d) => diceOf(m, d, seed)));
  const rows = methods.map((method) => {
    const at = complete.indexOf(method);
    const rank = ranks[at] ?? null;
    const single = seedRanks.map((of) => of[at] ?? null).filter((v) => v !== null);
    return {
      method,
      dice: Object.fromEntries(datasets.map((d) => [d, cell(method, d)])),
      average: at < 0 ? null : spreadOf(averagesOf(method) as number[]),
      rank: rank === null ? null : { mean: rank, sd: spreadOf(single)?.sd ?? null, count: single.length },
    };
  });
  return { datasets: [...datasets], rows };
}

/** For each method the mean over data sets of its rank; null where it lacks a value. */
function meanRanks(
  methods: readonly string[],
  datasets: readonly string[],
  value: (method: string, dataset: string) => number | null,
): (number | null)[] {
  const columns = datasets.map((d) => averageRanks(methods.map((m) => value(m, d))));
  return methods.map((_, m) => meanOf(columns.map((column) => column[m]!)));
}

/** null as soon as one value is. */
function meanOf(values: readonly (number | null)[]): number | null {
  if (values.length === 0 || values.some((v) => v === null)) return null;
  return (values as number[]).reduce((a, b) => a + b, 0) / values.length;
}

function keyOf(...parts: (string | number)[]): string {
  return JSON.stringify(parts);
}

/** Rows of cells as text: Dice in percent, spread over seeds behind ±, nothing known as "–". */
function tableCells({ datasets, rows }: ComparisonTable): string[][] {
  const head = ["Method", ...datasets, "Average DSC", "Average rank"];
  return [
    head,
    ...rows.map(({ method, dice, average, rank }) => [
      method,
      ...datasets.map((d) => percent(dice[d] ?? null)),
      percent(average),
      withSpread(rank, 1),
    ]),
  ];
}

const percent = (value: Spread | null) => withSpread(value, 100);

function withSpread(value: Spread | null, factor: number): string {
  if (value === null) return "–";
  const text = (v: number) => (factor * v).toFixed(2);
  return value.sd === null ? text(value.mean) : `${text(value.mean)} ± ${text(value.sd)}`;
}

export function tableMarkdown(table: ComparisonTable): string {
  const [head, ...rows] = tableCells(table) as [string[], ...string[][]];
  const line = (cells: string[]) => `| ${cells.map((c) => c.replace(/[|\\\n]/g, "\\$&")).join(" | ")} |`;
  const rule = `| --- |${" ---: |".repeat(head.length - 1)}`;
  return `${[line(head), rule, ...rows.map(line)].join("\n")}\n`;
}

/** Numbers in full; mean, standard deviation and number of seeds in columns of their own. */
export function tableCsv({ datasets, rows }: ComparisonTable): string {
  const columns = [...datasets.map((d) => `${d} DSC`), "average DSC", "average rank"];
  const head = ["method", ...columns.flatMap((c) => [c, `${c} sd`, `${c} n`])];
  const cells = ({ method, dice, average, rank }: ComparisonRow) => [
    method,
    ...[...datasets.map((d) => dice[d] ?? null), average, rank].flatMap((v) =>
      v === null ? ["", "", ""] : [String(v.mean), v.sd === null ? "" : String(v.sd), String(v.count)],
    ),
  ];
  return `${[head, ...rows.map(cells)].map((row) => row.map(csvCell).join(",")).join("\n")}\n`;
}

/** Quoted where needed; a leading = + - @ would be a formula to a spreadsheet. */
function csvCell(text: string): string {
  const safe = /^[=+@\t\r]|^-(?!\d)/.test(text) ? `'${text}` : text;
  return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Columns padded for a terminal. */
export function tableText(table: ComparisonTable): string {
  const cells = tableCells(table);
  const widths = cells[0]!.map((_, c) => Math.max(...cells.map((row) => row[c]!.length)));
  const line = (row: string[]) =>
    row.map((text, c) => (c === 0 ? text.padEnd(widths[c]!) : text.padStart(widths[c]!))).join("  ");
  const [head, ...rows] = cells;
  return [line(head!), "-".repeat(line(head!).length), ...rows.map(line)].join("\n");
}
