/** The demo's second half: the same few labelled heads, segmented from the pre-trained weights and from scratch. */
import { join } from "node:path";
import { readDataset } from "../data/dataset-json";
import { writePhantomDataset } from "../data/phantom-dataset";
import { regionNames } from "../evaluation/folders";
import type { Summary } from "../evaluation/summary";
import { createFinetunePlan, type FinetunePlan, inputFromPretraining } from "../plans/finetune";
import type { Plan } from "../plans/plan";
import { runFinetuning } from "../runs/finetuning";
import { openLabelledCases } from "../runs/labelled-cases";
import { log, underBar } from "./output";
import { watchFinetuning } from "./watch-finetuning";

export interface DemoTuning {
  /** Folder for the labelled heads and the runs. */
  out: string;
  /** Of pre-training, and its run folder. */
  pretraining: Plan;
  pretrained: string;
  /** Heads that pre-training has seen; the labelled ones are others. */
  seen: number;
}

const TRAINING = 3;
const HELD_OUT = 4;
const STEPS = 400;

type Name = "from scratch" | "pre-trained";

/** Fine-tunes twice on the same budget and prints the Dice of both; returns the run folders. */
export async function compareTuning(demo: DemoTuning): Promise<string[]> {
  const data = join(demo.out, "labelled");
  const options = { seed: demo.pretraining.seed, first: demo.seen, training: TRAINING };
  await underBar("labelled heads", writePhantomDataset(data, TRAINING + HELD_OUT, options));
  const dataset = await readDataset(data);
  const { channels, labels } = dataset;
  const base = {
    ...inputFromPretraining(demo.pretraining),
    ...{ seed: demo.pretraining.seed, steps: STEPS, channels, labels },
    prediction: { mirroring: [] }, // eight times faster
  };
  const plans: [Name, FinetunePlan][] = [
    ["from scratch", createFinetunePlan({ ...base, name: "demo, from scratch", transfer: "none" }, "tiny")],
    ["pre-trained", createFinetunePlan({ ...base, name: "demo, pre-trained" }, "tiny")],
  ];
  const summaries = new Map<Name, Summary>();
  const runs: string[] = [];
  for (const [name, plan] of plans) {
    const out = join(demo.out, `finetune-${name.replace(" ", "-")}`);
    const pretrained = plan.transfer === "none" ? undefined : demo.pretrained;
    const open = () => openLabelledCases(plan, dataset, join(demo.out, "labelled-cases"));
    log(`\n${name}: ${STEPS} steps on ${TRAINING} labelled heads, schedule ${plan.schedule.kind}`);
    const run = await watchFinetuning(plan, runFinetuning({ plan, out, open, pretrained, device: "cpu" }));
    if (run.summary) summaries.set(name, run.summary);
    runs.push(out);
  }
  tellDice(plans[0]![1], summaries);
  return runs;
}

/** A row a class; absent figures are dashes. */
function tellDice({ labels }: FinetunePlan, summaries: ReadonlyMap<Name, Summary>): void {
  const names = [...summaries.keys()];
  const cells = (figures: (number | null | undefined)[]) =>
    figures.map((f) => (typeof f === "number" ? f.toFixed(4) : "–").padStart(14)).join("");
  log(`\n  ${"Dice on held-out heads".padEnd(24)}${names.map((n) => n.padStart(14)).join("")}`);
  for (const [key, name] of Object.entries(regionNames(labels)))
    log(`  ${name.padEnd(24)}${cells(names.map((n) => summaries.get(n)?.mean[key]?.Dice))}`);
  const [scratch, tuned] = (["from scratch", "pre-trained"] as const).map(
    (name) => summaries.get(name)?.foreground_mean.Dice,
  );
  log(`  ${"mean".padEnd(24)}${cells([scratch, tuned])}`);
  if (typeof scratch !== "number" || typeof tuned !== "number") return;
  const gain = tuned - scratch;
  log(
    `\nPre-training ${gain > 0 ? "won" : "did not win"} here: ${gain >= 0 ? "+" : ""}${gain.toFixed(4)} mean Dice. One seed, ` +
      `${HELD_OUT} synthetic heads, a minute of pre-training: this shows the way, it proves nothing.`,
  );
}
