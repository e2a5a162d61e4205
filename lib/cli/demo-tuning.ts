/** The demo's second half: what pre-training is worth where few heads are labelled, beside training from scratch. */
import { join } from "node:path";
import { parseExperiment } from "../plans/experiment";
import { inputFromPretraining } from "../plans/finetune";
import type { Plan } from "../plans/plan";
import { type Comparison, type ComparisonEvent, runComparison } from "../runs/comparison";
import { tellTable, watchComparison } from "./compare";
import { log } from "./output";

/** Of all heads of the demo. */
export const SCANNERS = "varied";

export interface DemoTuning {
  /** Folder of the comparison. */
  out: string;
  /** Of pre-training, and its run folder. */
  pretraining: Plan;
  pretrained: string;
  /** Voxels of a head along each axis. */
  edge: number;
  /** Number of heads that pre-training has seen. */
  seen: number;
}

const DRAWS = 3;
const TRAINING = 3;
const HELD_OUT = 4;
const STEPS = 240;
/** Peak rates: of 0.1, 0.3 and 1 the best for each way, on heads of other seeds (bench/results). */
const RATES = { scratch: 0.3, tuned: 0.1 };
const LABELS = ["fluid", "greyMatter", "whiteMatter", "ventricles", "deepNuclei"] as const;
const [SCRATCH, TUNED] = ["from scratch", "pre-trained"] as const;

/**
 * Trains both ways on the same labelled heads for the same number of steps, for each draw of heads, and tells the Dice of
 * both on held-out heads, whichever wins.
 */
export async function compareTuning(demo: DemoTuning): Promise<Comparison> {
  log(
    `\n${STEPS} steps on ${TRAINING} labelled heads, from scratch and from the pre-trained weights, for ${DRAWS} draws of heads;\n` +
      `peak rates ${RATES.scratch} and ${RATES.tuned}, each the best of several on other heads; Dice on ${HELD_OUT} held-out heads of each draw`,
  );
  const experiment = parseExperiment(experimentOf(demo), ".", "The demo's experiment");
  const curves: Curves = new Map();
  const events = runComparison({ experiment, out: demo.out, device: "cpu" });
  const comparison = await watchComparison(noting(events, curves));
  tellCurves(curves);
  tellTable(comparison);
  tellGain(comparison);
  log(`page about the comparison: ${join(demo.out, "report.html")}`);
  return comparison;
}

/** As `voxelspark compare` takes it. */
function experimentOf({ pretraining, pretrained, edge, seen }: DemoTuning) {
  const { seed } = pretraining;
  const heads = (draw: number) => ({
    ...{ count: TRAINING + HELD_OUT, seed, edge, scanners: SCANNERS, training: TRAINING },
    ...{ first: seen + draw * (TRAINING + HELD_OUT), keep: [...LABELS] },
  });
  const budget = { steps: STEPS, validation: { every: 40 }, prediction: { mirroring: [] } }; // no mirroring: 8 times faster
  return {
    name: "What pre-training is worth on synthetic heads",
    preset: "tiny",
    seeds: [seed],
    finetuning: { plan: { ...inputFromPretraining(pretraining), ...budget } },
    datasets: Array.from({ length: DRAWS }, (_, draw) => ({
      name: `Draw ${draw + 1}`,
      phantoms: heads(draw),
    })),
    methods: [
      {
        name: SCRATCH,
        pretraining: false,
        finetuning: { schedule: { kind: "from-scratch", learningRate: RATES.scratch } },
      },
      {
        name: TUNED,
        pretraining: pretrained,
        finetuning: { schedule: { kind: "warmup", learningRate: RATES.tuned } },
      },
    ],
  };
}

/** Dice on patches of held-out heads by step, of each draw; by the name of the method. */
type Curves = Map<string, Map<number, number[]>>;

/** Passes the events on and gathers the validations on their way. */
async function* noting(
  events: AsyncGenerator<ComparisonEvent, Comparison>,
  curves: Curves,
): AsyncGenerator<ComparisonEvent, Comparison> {
  let curve = new Map<number, number[]>();
  for (;;) {
    const { done, value } = await events.next();
    if (done) return value;
    if (value.type === "run") {
      const name = value.title.startsWith(TUNED) ? TUNED : SCRATCH;
      curve = curves.get(name) ?? new Map();
      curves.set(name, curve);
    } else if (value.type === "training" && value.event.type === "validation" && "meanDice" in value.event) {
      const { step, meanDice } = value.event;
      curve.set(step, [...(curve.get(step) ?? []), meanDice ?? 0]);
    }
    yield value;
  }
}

/** A row a step, so that one sees which way learns faster and whether the other catches up. */
function tellCurves(curves: Curves): void {
  const cell = (values: number[] = []) =>
    (100 * (values.reduce((a, b) => a + b, 0) / values.length)).toFixed(1).padStart(14);
  log(
    `\n  step${[...curves.keys()].map((name) => name.padStart(14)).join("")}   (DSC on held-out patches, mean of the draws)`,
  );
  for (const step of curves.get(SCRATCH)?.keys() ?? [])
    log(
      `  ${String(step).padStart(4)}${[...curves.values()].map((curve) => cell(curve.get(step))).join("")}`,
    );
}

/** Which way won how often, and by how much. */
function tellGain({ scores, datasets }: Comparison): void {
  const dice = (method: string, dataset: string) =>
    scores.find((s) => s.method === method && s.dataset === dataset)?.dice ?? Number.NaN;
  const gains = datasets.map((d) => 100 * (dice(TUNED, d) - dice(SCRATCH, d)));
  const mean = gains.reduce((a, b) => a + b, 0) / gains.length;
  const wins = gains.filter((g) => g > 0).length;
  if (!Number.isFinite(mean)) return;
  log(
    `\nPre-training won ${wins} of ${gains.length} draws: ${mean >= 0 ? "+" : ""}${mean.toFixed(1)} points of Dice in the mean. ` +
      "One short pre-training of a tiny network on simple heads: this shows how to measure, it proves nothing.",
  );
}
