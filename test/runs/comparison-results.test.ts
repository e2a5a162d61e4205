/** The score of a method: the mean over the cases of all folds, not over folds. */
import type { RegionMetrics } from "../../lib/evaluation/dice";
import { summarize } from "../../lib/evaluation/summary";
import type { Experiment } from "../../lib/plans/experiment";
import type { FinetuningRun } from "../../lib/plans/experiment-runs";
import { Results } from "../../lib/runs/comparison-results";

const metrics = (Dice: number | null): RegionMetrics => ({
  ...{ Dice, IoU: Dice },
  ...{ FN: 0, FP: 0, TN: 0, TP: 0, n_pred: 0, n_ref: 0 },
});

/** Cases with the Dice of two classes each. */
const fold = (number: number, cases: (readonly [number | null, number])[]) =>
  summarize(
    cases.map(([a, b], i) => ({
      metrics: { "1": metrics(a), "2": metrics(b) },
      prediction_file: `p${number}${i}`,
      reference_file: `r${number}${i}`,
    })),
  );

test("cases of unequal folds are pooled; a class that is absent from a case does not count there", () => {
  const experiment = {
    ...{ name: "x", seeds: [0], folds: [0, 1] },
    ...{ methods: [{ name: "m" }], datasets: [{ name: "d" }] },
  } as unknown as Experiment;
  const results = new Results(experiment, 2);
  const run = (number: number) =>
    ({ folder: `f${number}`, method: "m", dataset: "d", seed: 0, fold: number }) as FinetuningRun;
  const more = { names: {}, seconds: 1 };
  results.add(run(0), fold(0, [[0.9, 0.5]]), more);
  expect(results.get().scores[0]!.dice).toBeNull(); // a fold is missing
  const second = [
    [0.3, 0.2],
    [null, 0.4],
    [0.6, 0.7],
  ] as const;
  results.add(run(1), fold(1, [...second]), more);
  const [a, b] = [(0.9 + 0.3 + 0.6) / 3, (0.5 + 0.2 + 0.4 + 0.7) / 4];
  expect(results.get().scores[0]!.dice).toBeCloseTo((a + b) / 2, 12);
  expect(results.get().table.rows[0]!.average!.mean).toBeCloseTo((a + b) / 2, 12);
});
