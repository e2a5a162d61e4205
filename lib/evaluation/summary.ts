/**
 * summary.json in nnU-Net's form (method.md §8), except that null stands where nnU-Net writes NaN, which is no JSON.
 */
import { DataError } from "../errors";
import { writeFileAtomic } from "../files";
import type { RegionMetrics } from "./dice";

export interface CaseResult {
  /** By region key. */
  metrics: Record<string, RegionMetrics>;
  prediction_file: string;
  reference_file: string;
}

/** By the names of `RegionMetrics`. */
export type MeanMetrics = Record<string, number | null>;

export interface Summary {
  /** Mean over regions of `mean`; null as soon as one of them is. */
  foreground_mean: MeanMetrics;
  /** By region key: mean over the cases that have a value, null when none has. */
  mean: Record<string, MeanMetrics>;
  metric_per_case: CaseResult[];
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((a, b) => a + b, 0) / values.length;
}

const NAMES = ["Dice", "FN", "FP", "IoU", "NSD", "TN", "TP", "n_pred", "n_ref"] as const;

/** Calls `value` for every metric that the first case has. */
function eachMetric(
  first: RegionMetrics,
  value: (name: (typeof NAMES)[number]) => number | null,
): MeanMetrics {
  return Object.fromEntries(NAMES.filter((name) => name in first).map((name) => [name, value(name)]));
}

/**
 * Means over all cases, pooled: results of several folds are given as one list, and the mean runs over cases, not folds.
 * @throws DataError for no case, a case that occurs twice, or cases of different regions
 */
export function summarize(cases: readonly CaseResult[]): Summary {
  const [first] = cases;
  if (!first) throw new DataError("ERR_VOXELSPARK_EMPTY", "there are no cases to summarise");
  requireOnce(cases.map((c) => c.reference_file));
  const keys = Object.keys(first.metrics);
  const odd = cases.find((c) => Object.keys(c.metrics).join("|") !== keys.join("|"));
  if (odd)
    throw new DataError(
      "ERR_VOXELSPARK_DATA",
      `${odd.reference_file} has the regions ${Object.keys(odd.metrics).join("; ")}, the first case has ${keys.join("; ")}.`,
    );
  const means: Record<string, MeanMetrics> = {};
  for (const key of keys)
    means[key] = eachMetric(first.metrics[key]!, (name) =>
      mean(cases.map((c) => c.metrics[key]![name]).filter((v) => typeof v === "number")),
    );
  const foreground = eachMetric(first.metrics[keys[0]!]!, (name) => {
    const values = keys.map((key) => means[key]![name]);
    return values.some((v) => typeof v !== "number") ? null : mean(values as number[]);
  });
  return { foreground_mean: foreground, mean: means, metric_per_case: [...cases] };
}

/** @throws DataError that lists all names that occur more than once */
function requireOnce(names: readonly string[]): void {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const twice = [...counts].filter(([, n]) => n > 1).map(([name, n]) => `${name} (${n} times)`);
  if (twice.length > 0)
    throw new DataError("ERR_VOXELSPARK_DATA", `cases must occur once, found ${twice.join(", ")}.`);
}

/**
 * JSON with sorted keys, indented by four, as Python's json.dump(sort_keys=True, indent=4) writes it.
 * @throws DataError for a number that JSON does not have
 */
export function sortedJson(value: unknown, indent = ""): string {
  if (typeof value === "number" && !Number.isFinite(value))
    throw new DataError(
      "ERR_VOXELSPARK_DATA",
      `a summary holds ${value}, allowed are finite numbers and null`,
    );
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const inner = `${indent}    `;
  const entries = Array.isArray(value)
    ? value.map((item) => sortedJson(item, inner))
    : Object.entries(value)
        .filter(([, item]) => item !== undefined)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, item]) => `${JSON.stringify(key)}: ${sortedJson(item, inner)}`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  if (entries.length === 0) return `${open}${close}`;
  return `${open}\n${inner}${entries.join(`,\n${inner}`)}\n${indent}${close}`;
}

/** Writes summary.json atomically. */
export async function writeSummary(path: string, summary: Summary): Promise<void> {
  await writeFileAtomic(path, `${sortedJson(summary)}\n`);
}
