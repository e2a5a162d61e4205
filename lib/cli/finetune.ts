import { join } from "node:path";
import type { CommandModule } from "yargs";
import { readDataset } from "../data/dataset-json";
import { runFinetuning } from "../runs/finetuning";
import { openLabelledCases, resolveSpacing } from "../runs/labelled-cases";
import { tellSummary } from "./evaluate";
import { type FinetunePlanArgs, finetunePlanOf, finetunePlanOptions } from "./finetune-plan";
import { interruptible } from "./interruption";
import { type ComputeArgs, chooseDevice, computeOptions } from "./options";
import { duration, log, printJson, UsageError } from "./output";
import { tellStages, watchFinetuning } from "./watch-finetuning";

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
      const run = await watchFinetuning(plan, events);
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
