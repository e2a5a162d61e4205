import { join } from "node:path";
import type { CommandModule } from "yargs";
import { exists } from "../files";
import { overridePlan, type Plan } from "../plans/plan";
import { dryRun } from "../recipes/dry-run";
import { openCases, resolvePreprocessing } from "../runs/cases";
import { runPretraining } from "../runs/pretraining";
import { interruptible } from "./interruption";
import {
  type ComputeArgs,
  chooseDevice,
  computeOptions,
  type PlanArgs,
  planOf,
  planOptions,
} from "./options";
import { bytes, duration, log, printJson, UsageError } from "./output";
import { watchRun } from "./watch";

interface Args extends ComputeArgs, PlanArgs {
  data?: string | undefined;
  out?: string | undefined;
  resume?: boolean | undefined;
  allowPrevious?: boolean | undefined;
  dryRun?: boolean | undefined;
}

export const pretrain: CommandModule<object, Args> = {
  command: "pretrain",
  describe: "Pre-train S3D on images; a checkpoint comes out",
  builder: (yargs) =>
    planOptions(computeOptions(yargs))
      .option("data", { type: "string", describe: "Images as for preprocess, or a case folder" })
      .option("out", { type: "string", describe: "Run folder: plan, metrics, progress picture, checkpoints" })
      .option("resume", {
        type: "boolean",
        describe: "Go on from the newest checkpoint in --out, with its plan",
      })
      .option("allow-previous", {
        type: "boolean",
        describe: "With --resume: go back past damaged checkpoints",
      })
      .option("dry-run", {
        type: "boolean",
        describe: "Check the plan and tell its memory; compute nothing",
      }) as never,
  handler: async (args) => {
    const plan = await planOf(args, await ownPlan(args));
    if (args.dryRun) {
      tellDryRun(args.device ? overridePlan(plan, { device: args.device }, "Command line") : plan, args.json);
      return;
    }
    const { data, out } = args;
    if (!data || !out) throw new UsageError("pretrain needs --data and --out (or --dry-run)");
    if (args.allowPrevious && !args.resume) throw new UsageError("--allow-previous needs --resume");
    await train(plan, { ...args, data, out });
  },
};

/** The plan of the run that --resume goes on with, so that its options need not be repeated. */
async function ownPlan({ out, resume }: Args): Promise<string | undefined> {
  const file = resume && out ? join(out, "plan.json") : undefined;
  return file && (await exists(file)) ? file : undefined;
}

function tellDryRun(plan: Plan, json?: boolean): void {
  const { device, parameters, peakBytes, residentBytes } = dryRun(plan);
  if (json) printJson({ parameters, device, precision: plan.precision, peakBytes, residentBytes });
  log(`${parameters.toLocaleString("en")} parameters`);
  log(`peak memory of a step ${bytes(peakBytes)}, ${bytes(residentBytes)} of it weights and momenta`);
  log(`counted for device ${device} in ${plan.precision}`);
}

async function train(planned: Plan, args: Args & { data: string; out: string }): Promise<void> {
  const { data, out, resume = false, allowPrevious = false } = args;
  const device = chooseDevice(args, planned);
  const plan = await resolvePreprocessing(planned, data);
  await interruptible("this step", async (interruption) => {
    const open = () => openCases(data, out, plan);
    const { signal } = interruption;
    const events = runPretraining({ plan, out, open, device, resume, allowPrevious, signal });
    const { validations, ...run } = await watchRun(plan.steps, events);
    const last = validations.at(-1);
    log(
      `${run.reason} at step ${run.step} after ${duration(run.seconds)} (${duration(run.dataWaitSeconds)} waiting for data)`,
    );
    if (last)
      log(`validation: masked MSE ${last.loss.toFixed(4)}, mean prediction ${last.baseline.toFixed(4)}`);
    log(`run folder: ${out}`);
    if (args.json)
      printJson({ ...run, validationLoss: last?.loss ?? null, baseline: last?.baseline ?? null, out });
    if (run.leftOut.length > 0) process.exitCode = 1;
    if (run.reason === "interrupted") process.exitCode = interruption.exitCode;
  });
}
