/** The page of a comparison: the paper's table, every seed as a point, classes, runs. */
import {
  type ComparisonRow,
  type ComparisonTable,
  type Score,
  type Spread,
  spreadOf,
} from "../evaluation/ranking";
import { makeAxis, shortNumber } from "../pictures/axes";
import { duration, fixed } from "./facts";
import { html, type Markup } from "./html";
import { absent, renderPage, type Section } from "./page";

export interface ComparisonReport {
  name: string;
  methods: readonly string[];
  datasets: readonly string[];
  seeds: readonly number[];
  folds: readonly number[];
  runs: { wanted: number; finished: number };
  table: ComparisonTable;
  scores: readonly Score[];
  results: readonly {
    folder: string;
    method: string;
    dataset: string;
    seed: number;
    fold: number;
    dice: number | null;
    classes: Readonly<Record<string, number | null>>;
    cases: number;
    seconds: number;
  }[];
  failures: readonly { title: string; message: string }[];
  footer: string;
}

export function comparisonPage(report: ComparisonReport): string {
  const { runs, seeds, folds, methods, datasets, failures } = report;
  const done = runs.finished === runs.wanted;
  const plural = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`;
  return renderPage({
    kicker: "Comparison",
    title: report.name,
    chips: [
      { text: `${runs.finished} of ${plural(runs.wanted, "run")}`, tone: done ? "good" : "warn" },
      ...(failures.length > 0 ? [{ text: `${failures.length} failed`, tone: "bad" as const }] : []),
    ],
    lead: `${plural(methods.length, "method")} on ${plural(datasets.length, "data set")}, ${plural(seeds.length, "seed")}, ${plural(folds.length, "fold")}.`,
    tiles: [],
    sections: [
      {
        title: "Table",
        note: "DSC: Dice × 100, mean over the foreground classes and validation cases (folds pooled), mean over seeds ± standard deviation over seeds. Average rank: of the mean DSC among the methods that are complete, 1 is the best, equal values share their ranks; ± is that of the ranks that single seeds give. Bold: the best of a column.",
        body: paperTable(report.table),
      },
      {
        title: "Every seed",
        note: "Points: seeds. Bars: their means.",
        body: datasets.map((d) => dots(report, d)),
      },
      ...datasets.map((d) => classSection(report, d)),
      runSection(report),
    ],
    footer: report.footer,
  });
}

/** The same table as on the command line, the best of each column bold. */
function paperTable({ datasets, rows }: ComparisonTable): Markup {
  const columns: { head: string; of: (row: ComparisonRow) => Spread | null; factor: number }[] = [
    ...datasets.map((d) => ({ head: d, of: (row: ComparisonRow) => row.dice[d] ?? null, factor: 100 })),
    { head: "Average DSC", of: (row) => row.average, factor: 100 },
    { head: "Average rank", of: (row) => row.rank, factor: -1 }, // the lowest is the best
  ];
  const best = columns.map(({ of, factor }) =>
    rows.reduce(
      (top, row) => Math.max(top, (of(row)?.mean ?? Number.NaN) * factor || top),
      Number.NEGATIVE_INFINITY,
    ),
  );
  const body = rows.map(
    (row) =>
      html`<tr><td>${row.method}</td>${columns.map(({ of, factor }, c) => spreadCell(of(row), factor, best[c]!))}</tr>`,
  );
  return html`<div class="scroll"><table><thead><tr><th>Method</th>${columns.map(({ head }) => html`<th>${head}</th>`)}</tr></thead><tbody>${body}</tbody></table></div>`;
}

function spreadCell(value: Spread | null, factor: number, best: number): Markup {
  if (value === null) return html`<td>–</td>`;
  const scale = Math.abs(factor);
  const isBest = value.mean * factor === best;
  return html`<td class="${isBest ? "best" : ""}">${fixed(scale * value.mean, 2)}${value.sd !== null && html` <small>± ${fixed(scale * value.sd, 2)}</small>`}</td>`;
}

const ROW = 26;

/** One line a method, one point a seed. */
function dots({ methods, scores }: ComparisonReport, dataset: string): Markup {
  const of = scores.filter((s) => s.dataset === dataset && s.dice !== null);
  const title = html`<figcaption><b>${dataset}</b></figcaption>`;
  if (of.length === 0) return html`<figure class="chart">${title}${absent("No results yet.")}</figure>`;
  const axis = makeAxis(
    of.map((s) => 100 * s.dice!),
    { logarithmic: false, count: 6 },
  );
  const draw = (width: number, kind: string) => {
    const left = kind === "wide" ? 260 : 12;
    const place = (dice: number) =>
      Math.round(10 * (left + (width - left - 20) * axis.place(100 * dice))) / 10;
    const step = kind === "wide" ? ROW : ROW + 14; // on a phone names stand above their lines
    const height = methods.length * step + 30;
    const lines = methods.map((method, i) => {
      const values = of.filter((s) => s.method === method);
      const y = i * step + (kind === "wide" ? 16 : 28);
      const mean = spreadOf(values.map((s) => s.dice!))?.mean;
      const label =
        kind === "wide"
          ? html`<text class="end" x="${left - 14}" y="${y + 4}">${method}</text>`
          : html`<text x="${left}" y="${y - 12}">${method}</text>`;
      const points = values.map(
        (s) =>
          html`<circle class="dot" cx="${place(s.dice!)}" cy="${y}" r="4.5"><title>${method}, seed ${s.seed}: ${fixed(100 * s.dice!, 2)}</title></circle>`,
      );
      return html`<g class="c1"><path class="grid" d="M${left} ${y}H${width - 20}"/>${label}${points}${mean !== undefined && html`<path class="mean" d="M${place(mean)} ${y - 9}v18"><title>${method}, mean: ${fixed(100 * mean, 2)}</title></path>`}</g>`;
    });
    const ticks = axis.ticks.map(
      (t) =>
        html`<path class="grid" d="M${place(t / 100)} 0V${height - 24}"/><text class="tick middle" x="${place(t / 100)}" y="${height - 8}">${shortNumber(t)}</text>`,
    );
    return html`<svg class="${kind}" viewBox="0 0 ${width} ${height}" role="img" aria-label="DSC on ${dataset}">${ticks}${lines}</svg>`;
  };
  return html`<figure class="chart">${title}${draw(980, "wide")}${draw(360, "narrow")}</figure>`;
}

/** Dice of each class, mean over all runs of a method. */
function classSection({ results, methods }: ComparisonReport, dataset: string): Section {
  const of = results.filter((r) => r.dataset === dataset);
  const names = [...new Set(of.flatMap((r) => Object.keys(r.classes)))];
  const rows = methods.map((method) => {
    const cells = names.map((name) => {
      const values = of.filter((r) => r.method === method).map((r) => r.classes[name]);
      return spreadCell(spreadOf(values.filter((v) => typeof v === "number")), 100, Number.NaN);
    });
    return html`<tr><td>${method}</td>${cells}</tr>`;
  });
  const body =
    names.length === 0
      ? absent("No results yet.")
      : html`<div class="scroll"><table><thead><tr><th>Method</th>${names.map((n) => html`<th>${n}</th>`)}</tr></thead><tbody>${rows}</tbody></table></div>`;
  return {
    title: `Classes of ${dataset}`,
    note: "DSC, mean ± standard deviation over runs (seeds and folds).",
    body,
  };
}

function runSection({ results, failures }: ComparisonReport): Section {
  const rows = results.map(
    (r) =>
      html`<tr><td>${r.method}</td><td>${r.dataset}</td><td>${r.seed}</td><td>${r.fold}</td><td>${r.cases}</td><td>${r.dice === null ? "–" : fixed(100 * r.dice, 2)}</td><td>${duration(r.seconds)}</td></tr>`,
  );
  const heads = ["Method", "Data set", "Seed", "Fold", "Cases", "DSC", "Training"];
  const list = html`<details><summary>${results.length} finished runs</summary><div class="scroll"><table><thead><tr>${heads.map((h) => html`<th>${h}</th>`)}</tr></thead><tbody>${rows}</tbody></table></div></details>`;
  const failed = failures.map(
    (f) => html`<p class="note warning"><b>${f.title}</b> failed: ${f.message}</p>`,
  );
  return { title: "Runs", body: [...failed, list] };
}
