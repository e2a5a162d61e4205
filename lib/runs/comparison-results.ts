/** What a comparison has found so far, and the files that tell it. */
import { join } from "node:path";
import {
  type ComparisonTable,
  comparisonTable,
  type Score,
  tableCsv,
  tableMarkdown,
} from "../evaluation/ranking";
import { type Summary, summarize } from "../evaluation/summary";
import { writeFileAtomic, writeJsonAtomic } from "../files";
import type { Experiment } from "../plans/experiment";
import type { FinetuningRun } from "../plans/experiment-runs";
import { comparisonPage } from "../report/comparison";
import { footer } from "../report/page";

/** One fine-tuning, evaluated on its fold. */
export interface RunResult {
  folder: string;
  method: string;
  dataset: string;
  seed: number;
  fold: number;
  /** Foreground mean of the fold. */
  dice: number | null;
  /** By the name of the class or region. */
  classes: Record<string, number | null>;
  cases: number;
  /** Time of all training steps. */
  seconds: number;
}

export interface FailedRun {
  folder: string;
  title: string;
  code: string;
  message: string;
}

/** results.json. */
export interface ComparisonResults {
  name: string;
  methods: string[];
  datasets: string[];
  seeds: number[];
  folds: number[];
  /** Runs that are wanted, and those that have a result. */
  runs: { wanted: number; finished: number };
  table: ComparisonTable;
  /** Folds pooled. */
  scores: Score[];
  results: RunResult[];
  failures: FailedRun[];
}

/** Gathers results of runs and pools the cases of folds. */
export class Results {
  private readonly summaries = new Map<string, Summary[]>();
  private readonly results: RunResult[] = [];
  private readonly failures: FailedRun[] = [];

  constructor(
    private readonly experiment: Experiment,
    private readonly wanted: number,
  ) {}

  add({ folder, method, dataset, seed, fold }: FinetuningRun, summary: Summary, more: Added): RunResult {
    const key = keyOf(method, dataset, seed);
    this.summaries.set(key, [...(this.summaries.get(key) ?? []), summary]);
    const classes = Object.entries(summary.mean).map(([region, mean]) => [
      more.names[region] ?? region,
      mean.Dice ?? null,
    ]);
    const result = {
      ...{ folder, method, dataset, seed, fold },
      dice: summary.foreground_mean.Dice ?? null,
      classes: Object.fromEntries(classes),
      cases: summary.metric_per_case.length,
      seconds: more.seconds,
    };
    this.results.push(result);
    return result;
  }

  fail(failure: FailedRun): void {
    this.failures.push(failure);
  }

  get(): ComparisonResults {
    const { name, seeds, folds } = this.experiment;
    const methods = this.experiment.methods.map((m) => m.name);
    const datasets = this.experiment.datasets.map((d) => d.name);
    const scores = methods.flatMap((method) =>
      datasets.flatMap((dataset) => seeds.map((seed) => this.score(method, dataset, seed))),
    );
    return {
      ...{ name, methods, datasets, seeds, folds },
      runs: { wanted: this.wanted, finished: this.results.length },
      table: comparisonTable(scores, methods, datasets),
      scores,
      results: this.results,
      failures: this.failures,
    };
  }

  /** The mean runs over the cases of all folds; nothing is known before the last fold is there. */
  private score(method: string, dataset: string, seed: number): Score {
    const summaries = this.summaries.get(keyOf(method, dataset, seed)) ?? [];
    const complete = summaries.length === this.experiment.folds.length;
    const cases = summaries.flatMap((s) => s.metric_per_case);
    const dice = complete ? (summarize(cases).foreground_mean.Dice ?? null) : null;
    return { method, dataset, seed, dice };
  }
}

interface Added {
  /** Names of the classes by the keys of the summary. */
  names: Readonly<Record<string, string>>;
  seconds: number;
}

function keyOf(...parts: (string | number)[]): string {
  return JSON.stringify(parts);
}

/** Writes results.json, table.md, table.csv and report.html. */
export async function writeResults(out: string, results: ComparisonResults): Promise<void> {
  await writeJsonAtomic(join(out, "results.json"), results);
  await writeFileAtomic(join(out, "table.md"), tableMarkdown(results.table));
  await writeFileAtomic(join(out, "table.csv"), tableCsv(results.table));
  const page = comparisonPage({ ...results, footer: footer(`in ${out}`) });
  await writeFileAtomic(join(out, "report.html"), page);
}
