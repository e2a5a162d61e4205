import type { CommandModule } from "yargs";
import type { Plan } from "../plans/plan";
import { dryRun } from "../recipes/dry-run";
import { CaseSource, prepareCases } from "../runs/cases";
import { runPretraining } from "../runs/pretraining";
import type { DeviceName } from "../tensor";
import {
  type ComputeArgs,
  chooseDevice,
  computeOptions,
  type PlanArgs,
  planOf,
  planOptions,
} from "./options";
import { bytes, duration, log, printJson, progress, UsageError } from "./output";

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
      .option("resume", { type: "boolean", describe: "Go on from the newest checkpoint in --out" })
      .option("allow-previous", {
        type: "boolean",
        describe: "With --resume: go back past damaged checkpoints",
      })
      .option("dry-run", {
        type: "boolean",
        describe: "Check the plan and tell its memory; compute nothing",
      }) as never,
  handler: async (args) => {
    const plan = await planOf(args);
    if (args.dryRun) {
      tellDryRun(plan, args.json);
      return;
    }
    if (!args.data || !args.out) throw new UsageError("pretrain needs --data and --out (or --dry-run)");
    const device = chooseDevice({ ...args, device: args.device === "auto" ? plan.device : args.device });
    await train(plan, args as Args & { data: string; out: string }, device);
  },
};

function tellDryRun(plan: Plan, json?: boolean): void {
  const { parameters, peakBytes, residentBytes } = dryRun(plan);
  if (json) printJson({ parameters, peakBytes, residentBytes });
  log(`${parameters.toLocaleString("en")} parameters`);
  log(`peak memory of a step ${bytes(peakBytes)}, ${bytes(residentBytes)} of it weights and momenta`);
}

/** An abort signal for the first SIGINT or SIGTERM; the second ends the process at once, which damages nothing. */
function interruption(): { signal: AbortSignal; exitCode: () => number; done: () => void } {
  const controller = new AbortController();
  let code = 0;
  const on = (name: "SIGINT" | "SIGTERM") => {
    if (controller.signal.aborted) process.exit(code);
    code = name === "SIGINT" ? 130 : 143;
    controller.abort();
    log("\nstopping after this step; once more stops at once");
  };
  const [int, term] = [() => on("SIGINT"), () => on("SIGTERM")];
  process.on("SIGINT", int).on("SIGTERM", term);
  const done = () => {
    process.off("SIGINT", int).off("SIGTERM", term);
  };
  return { signal: controller.signal, exitCode: () => code, done };
}

async function train(
  plan: Plan,
  args: Args & { data: string; out: string },
  device: DeviceName,
): Promise<void> {
  const stop = interruption();
  const source = await CaseSource.open(plan, await prepare(args.data, args.out, plan));
  log(`${source.counts.training} cases train, ${source.counts.validation} validate`);
  if (source.counts.validation === 0)
    log("warning: fewer than two subjects, so validation patches come from the training cases");
  const bar = progress("pretrain", plan.steps);
  const start = performance.now();
  const result = {
    step: 0,
    loss: Number.NaN,
    validationLoss: Number.NaN,
    baseline: Number.NaN,
    waited: 0,
    reason: "",
  };
  try {
    const { resume = false, allowPrevious = false, out } = args;
    for await (const event of runPretraining({
      plan,
      out,
      source,
      device,
      resume,
      allowPrevious,
      signal: stop.signal,
    })) {
      if (event.type === "step") {
        Object.assign(result, {
          step: event.step,
          loss: event.loss,
          waited: result.waited + event.dataWaitSeconds,
        });
        bar.update(event.step, `loss ${event.loss.toFixed(4)}, ${event.seconds.toFixed(2)} s/step`);
      } else if (event.type === "validation")
        Object.assign(result, { validationLoss: event.loss, baseline: event.baseline });
      else if (event.type === "end") Object.assign(result, { step: event.step, reason: event.reason });
    }
  } finally {
    bar.stop();
    await source.close();
    stop.done();
  }
  const seconds = (performance.now() - start) / 1000;
  log(
    `${result.reason} at step ${result.step} after ${duration(seconds)} (${duration(result.waited)} waiting for data)`,
  );
  if (Number.isFinite(result.validationLoss))
    log(
      `validation: masked MSE ${result.validationLoss.toFixed(4)}, mean prediction ${result.baseline.toFixed(4)}`,
    );
  log(`run folder: ${args.out}`);
  if (args.json) printJson({ ...result, seconds, out: args.out });
  if (result.reason === "interrupted") process.exitCode = stop.exitCode();
}

async function prepare(data: string, out: string, plan: Plan) {
  const steps = prepareCases(data, out, plan);
  let bar: ReturnType<typeof progress> | undefined;
  for (;;) {
    const next = await steps.next();
    if (next.done) {
      bar?.stop();
      return next.value;
    }
    const { done, total, case: id, error, warnings } = next.value;
    bar ??= progress("preprocess", total);
    bar.update(done, id);
    for (const w of warnings) log(`warning: ${w}`);
    if (error) {
      log(`left out: ${error.message} [${error.code}]`);
      process.exitCode = 1;
    }
  }
}
