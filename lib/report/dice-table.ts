/** Dice of every case and class as a table, and the surface Dice where it was measured. */

import type { RegionMetrics } from "../evaluation/dice";
import { spreadOf } from "../evaluation/ranking";
import type { CaseResult, Summary } from "../evaluation/summary";
import { fixed } from "./facts";
import { html, type Markup } from "./html";

type Name = "Dice" | "NSD" | "IoU";

/** Mean over classes of a case; null where no class has a value. */
export function caseMean({ metrics }: CaseResult, name: Name = "Dice"): number | null {
  const values = Object.values(metrics).map((m) => m[name]);
  return spreadOf(values.filter((v) => typeof v === "number"))?.mean ?? null;
}

/** "case_001" of "…/labelsTr/case_001.nii.gz". */
export function caseName({ reference_file, prediction_file }: CaseResult): string {
  const file = (reference_file || prediction_file).split(/[\\/]/).at(-1)!;
  return file.replace(/\.nii(\.gz)?$/, "");
}

/** One row a case, worst first; mean and standard deviation over the cases below. `names` are those of the region keys. */
export function diceTable(
  { metric_per_case: cases }: Summary,
  names: Readonly<Record<string, string>>,
): Markup {
  const keys = Object.keys(cases[0]?.metrics ?? {});
  const sorted = [...cases].sort((a, b) => (caseMean(a) ?? 2) - (caseMean(b) ?? 2));
  const rows = sorted.map(
    (c) =>
      html`<tr><td>${caseName(c)}</td>${keys.map((key) => cell(c.metrics[key]!.Dice))}${cell(caseMean(c))}</tr>`,
  );
  const head = html`<tr><th>Case</th>${keys.map((key) => html`<th>${names[key] ?? key}</th>`)}<th>mean</th></tr>`;
  return html`<div class="scroll"><table><thead>${head}</thead><tbody>${rows}</tbody><tfoot>${footRows(cases, keys)}</tfoot></table></div>`;
}

function footRows(cases: readonly CaseResult[], keys: readonly string[]): Markup[] {
  const column = (name: Name, key: string) =>
    cases.map((c) => (c.metrics[key] as RegionMetrics)[name]).filter((v) => typeof v === "number");
  const means = (name: Name) => cases.map((c) => caseMean(c, name)).filter((v) => v !== null);
  const row = (label: string, name: Name, pick: "mean" | "sd") => {
    const values = [...keys.map((key) => column(name, key)), means(name)].map((v) => spreadOf(v)?.[pick]);
    return html`<tr class="${pick}"><td>${label}</td>${values.map((v) => html`<td>${fixed(v)}</td>`)}</tr>`;
  };
  const surface = cases.some((c) => keys.some((key) => typeof c.metrics[key]!.NSD === "number"));
  return [
    row("mean Dice", "Dice", "mean"),
    row("standard deviation", "Dice", "sd"),
    row("mean IoU", "IoU", "mean"),
    ...(surface ? [row("mean surface Dice (NSD)", "NSD", "mean")] : []),
  ];
}

/** A number with a bar behind it. */
function cell(value: number | null): Markup {
  if (value === null) return html`<td title="in neither volume">–</td>`;
  return html`<td class="bar" style="--v:${(100 * value).toFixed(1)}%">${fixed(value)}</td>`;
}
