import { join } from "node:path";
import type { CommandModule } from "yargs";
import { readDataset } from "../data/dataset-json";
import type { Summary } from "../evaluation/summary";
import { type FinetunePlan, finetuneStages } from "../plans/finetune";
import { type FinetuneEvent, runFinetuning } from "../runs/finetuning";
import { openLabelledCases, resolveSpacing } from "../runs/labelled-cases";
import { tellSummary } from "./evaluate";
import { type FinetunePlanArgs, finetunePlanOf, finetunePlanOptions } from "./finetune-plan";
import { interruptible } from "./interruption";
import { type ComputeArgs, chooseDevice, computeOptions } from "./options";
import { duration, log, printJson, UsageError } from "./output";
import { watchTraining } from "./watch";

interface Args extends ComputeArgs, FinetunePlanArgs {
  data: string;
  out: string;
  cases?: string | undefined;
  resume?: boolean | undefined;
  allowPrevious?: boolean | undefined;
}

export const finetune: CommandModule<object, Args> = {
  command: "finetune",
  describe: "Train a segmentation network, from pre-trained weights or from scratch",
  builder: (yargs) =>
    finetunePlanOptions(computeOptions(yargs))
      .option("data", {
        type: "string",
        demandOption: true,
        describe: "Dataset folder in nnU-Net's raw layout: dataset.json, imagesTr, labelsTr",
      })
      .option("out", {
        type: "string",
        demandOption: true,
        describe: "Run folder: plan, metrics, progress picture, checkpoints, final, best, validation",
      })
      .option("cases", {
        type: "string",
        normalize: true,
        describe: "Folder of the preprocessed cases, which runs may share (default: cases in --out)",
      })
      .option("resume", {
        type: "boolean",
        describe: "Go on from the newest checkpoint in --out, with its plan",
      })
      .option("allow-previous", {
        type: "boolean",
        describe: "With --resume: go back past damaged checkpoints",
      }) as never,
  handler: async (args) => {
    if (args.allowPrevious && !args.resume) throw new UsageError("--allow-previous needs --resume");
    const planned = await finetunePlanOf(args);
    const device = chooseDevice(args, planned);
    await interruptible("this step", async (interruption) => {
      const dataset = await readDataset(args.data);
      const plan = await resolveSpacing(planned, dataset);
      const cases = args.cases ?? join(args.out, "cases");
      const open = () => openLabelledCases(plan, dataset, cases);
      tellStages(plan);
      const { out, pretrained, resume = false, allowPrevious = false } = args;
      const { signal } = interruption;
      const events = runFinetuning({ plan, out, open, device, pretrained, resume, allowPrevious, signal });
      const run = await watch(plan, events);
      log(
        `${run.reason} at step ${run.step} after ${duration(run.seconds)} (${duration(run.dataWaitSeconds)} waiting for data)`,
      );
      if (run.summary) tellSummary(run.summary, plan.labels);
      log(`run folder: ${out}`);
      if (args.json) printJson({ ...run, summary: run.summary?.foreground_mean ?? null, out });
      if (run.reason === "interrupted") process.exitCode = interruption.exitCode;
    });
  },
};

function tellStages(plan: FinetunePlan): void {
  const { kind, learningRate } = plan.schedule;
  let from = 0;
  const parts = finetuneStages(plan).map(({ steps, trains }) => {
    const text = `steps ${from} to ${from + steps! - 1} train ${trains.join(", ")}`;
    from += steps!;
    return text;
  });
  log(`schedule ${kind}, peak learning rate ${learningRate}: ${parts.join("; ")}`);
}

async function watch(plan: FinetunePlan, events: AsyncIterable<FinetuneEvent>) {
  const validations: { step: number; loss: number; dice: number | null; smoothedDice: number | null }[] = [];
  const found: { summary?: Summary; transfer?: string } = {};
  const run = await watchTraining("finetune", plan.steps, events, (event) => {
    if (event.type === "transfer") tellTransfer(event);
    else if (event.type === "data") for (const warning of event.warnings) log(`warning: ${warning}`);
    else if (event.type === "summary") found.summary = event.summary;
    else if (event.type === "validation") {
      const { step, loss, meanDice: dice, smoothedDice } = event;
      validations.push({ step, loss, dice, smoothedDice });
    }
  });
  return { ...run, validations, ...found };
}

/** Names without the numbers of layers, each with how often it occurs: "encoder.stages (12)". */
function tellTransfer(report: FinetuneEvent & { type: "transfer" }): void {
  const { source, transfer, loaded, adapted, reinitialised, skipped, unexpected } = report;
  const names = (list: readonly string[]) => (list.length > 0 ? `: ${brief(list)}` : "");
  const because = [...new Set(skipped.map(({ why }) => why))];
  const count = (why: string) => skipped.filter((entry) => entry.why === why).length;
  log(`transfer ${transfer} from ${source}`);
  log(`  loaded          ${loaded.length} tensors${names(loaded)}`);
  for (const { name, from, to } of adapted)
    log(`  adapted         ${name} ${from.join("×")} to ${to.join("×")}`);
  log(`  re-initialised  ${reinitialised.length}${names(reinitialised)}`);
  log(`  skipped         ${skipped.length}${because.map((why) => `, ${count(why)} of a ${why}`).join("")}`);
  log(`  unexpected      ${unexpected.length}${names(unexpected)}`);
}

function brief(names: readonly string[]): string {
  const groups = new Map<string, number>();
  for (const name of names) {
    const group = name.split(".").slice(0, 2).join(".");
    groups.set(group, (groups.get(group) ?? 0) + 1);
  }
  return [...groups].map(([group, count]) => `${group} (${count})`).join(", ");
}
