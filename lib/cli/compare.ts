import { basename, extname } from "node:path";
import type { CommandModule } from "yargs";
import { tableText } from "../evaluation/ranking";
import { readExperiment } from "../plans/experiment";
import { type Comparison, type ComparisonEvent, runComparison } from "../runs/comparison";
import { interruptible } from "./interruption";
import { type ComputeArgs, chooseDevice, computeOptions } from "./options";
import { duration, log, type Progress, printJson, progress } from "./output";

interface Args extends ComputeArgs {
  experiment: string;
  out?: string | undefined;
}

export const compare: CommandModule<object, Args> = {
  command: "compare <experiment>",
  describe: "Pre-train, fine-tune and evaluate methods × data sets × seeds; the paper's table comes out",
  builder: (yargs) =>
    computeOptions(yargs)
      .positional("experiment", {
        type: "string",
        demandOption: true,
        normalize: true,
        describe: "Experiment file (JSON)",
      })
      .option("out", {
        type: "string",
        describe: "Folder of all runs and results (default: the file's name); run again to go on",
      }) as never,
  handler: async (args) => {
    const experiment = await readExperiment(args.experiment);
    const out = args.out ?? basename(args.experiment, extname(args.experiment));
    const device = chooseDevice(args);
    await interruptible("this step", async (interruption) => {
      const began = performance.now();
      const { signal } = interruption;
      const comparison = await watchComparison(runComparison({ experiment, out, device, signal }));
      tell(comparison, out, (performance.now() - began) / 1000);
      if (args.json) printJson(comparison);
      if (comparison.failures.length > 0) process.exitCode = 1;
      if (comparison.interrupted) process.exitCode = interruption.exitCode;
    });
  },
};

/** Drives a comparison to its end; each training has a bar of its own. */
export async function watchComparison(
  events: AsyncGenerator<ComparisonEvent, Comparison>,
): Promise<Comparison> {
  const shown = new Bar();
  try {
    for (;;) {
      const next = await events.next();
      if (next.done) return next.value;
      show(next.value, shown);
    }
  } finally {
    shown.stop();
  }
}

/** The bar of what is under way; another title begins another one. */
class Bar {
  private bar: Progress | undefined;
  private title = "";
  /** Of the training under way. */
  steps = 0;

  update(title: string, done: number, total: number, note = "", from = 0): void {
    if (title !== this.title) {
      this.stop();
      this.bar = progress(title, total, from);
      this.title = title;
    }
    this.bar?.update(done, note);
  }

  stop(): void {
    this.bar?.stop();
    this.bar = undefined;
    this.title = "";
  }
}

function show(event: ComparisonEvent, bar: Bar): void {
  switch (event.type) {
    case "data":
      bar.update(`synthetic heads for ${event.name}`, event.done, event.total);
      break;
    case "run":
      bar.steps = event.steps;
      if (event.state === "finished") break;
      bar.stop();
      log(`${event.state === "resumed" ? "resuming " : ""}${event.title}`);
      break;
    case "training":
      showTraining(event.event, bar);
      break;
    case "result":
      bar.stop();
      log(
        `[${event.done}/${event.total}] ${event.method}, ${event.dataset}, seed ${event.seed}, fold ${event.fold}: ` +
          `DSC ${event.dice === null ? "undefined" : (100 * event.dice).toFixed(2)}`,
      );
      break;
    case "failed":
      bar.stop();
      log(`failed: ${event.title}: ${event.message} [${event.code}]`);
  }
}

function showTraining(event: (ComparisonEvent & { type: "training" })["event"], bar: Bar): void {
  if (event.type === "prepare") {
    if (event.status !== "current") bar.update("  preprocess", event.done, event.total, event.case);
    if (event.error) log(`cannot be used: ${event.error.message} [${event.error.code}]`);
  } else if (event.type === "start") bar.update("  train", event.step, bar.steps, "", event.step);
  else if (event.type === "step")
    bar.update(
      "  train",
      event.step,
      bar.steps,
      `loss ${event.loss.toFixed(4)}, ${event.seconds.toFixed(2)} s/step`,
    );
}

/** The paper's table. */
export function tellTable({ table }: Comparison): void {
  log(`\n${tableText(table)}\n`);
  log("DSC: mean over seeds ± standard deviation over seeds; rank: of the mean DSC, 1 is the best");
}

function tell(comparison: Comparison, out: string, seconds: number): void {
  const { runs, failures, interrupted } = comparison;
  tellTable(comparison);
  const state = interrupted ? "interrupted" : failures.length > 0 ? "ended" : "finished";
  const failed = failures.length > 0 ? `, ${failures.length} failed` : "";
  log(`${state} after ${duration(seconds)}: ${runs.finished} of ${runs.wanted} runs have a result${failed}`);
  log(`wrote ${out}/results.json, table.md, table.csv and report.html`);
  if (runs.finished < runs.wanted) log("run the same command again to go on");
}
