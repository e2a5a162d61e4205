import type { CommandModule } from "yargs";
import { type PreprocessStep, preprocess as run } from "../data/preprocess";
import { findCases } from "../data/sources";
import { preprocessing } from "../runs/cases";
import { setThreads } from "../tensor";
import { type Interruption, interruptible } from "./interruption";
import { type ComputeArgs, computeOptions, type PlanArgs, planOf, planOptions } from "./options";
import { log, printJson, underBar } from "./output";

interface Args extends ComputeArgs, PlanArgs {
  data: string;
  out: string;
}

export const preprocess: CommandModule<object, Args> = {
  command: "preprocess",
  describe: "Crop, normalise and resample images into a case folder",
  builder: (yargs) =>
    planOptions(computeOptions(yargs))
      .option("data", {
        type: "string",
        demandOption: true,
        describe: "Folder of NIfTI images, BIDS tree or pretrain_data.json",
      })
      .option("out", {
        type: "string",
        demandOption: true,
        describe: "Case folder; a re-run redoes only what changed",
      }) as never,
  handler: async (args) => {
    if (args.threads !== undefined) setThreads(args.threads);
    const plan = await planOf(args);
    const images = await findCases(args.data);
    const steps = run(images, args.out, await preprocessing(plan, images), args.workers ?? 0);
    const counts = { done: 0, current: 0, failed: 0 };
    const failures: { path: string; code: string; message: string }[] = [];
    const warnings: string[] = [];
    const count = (step: PreprocessStep) => {
      counts[step.status]++;
      warnings.push(...step.warnings);
      if (step.error) failures.push({ path: step.path, code: step.error.code, message: step.error.message });
    };
    const stopped = await interruptible("this image", async (interruption) => {
      await underBar("preprocess", untilInterrupted(steps, interruption), (step) => {
        count(step);
        return step.case;
      });
      return interruption.exitCode;
    });
    for (const w of warnings) log(`warning: ${w}`);
    for (const f of failures) log(`failed: ${f.message} [${f.code}]`);
    const { done, current, failed } = counts;
    log(`${done} made, ${current} up to date, ${failed} failed; cases are in ${args.out}`);
    if (stopped) log(`interrupted: ${images.length - done - current - failed} images are left to do`);
    if (args.json) printJson({ ...counts, failures, warnings, folder: args.out });
    process.exitCode = stopped || (failed > 0 ? 1 : 0);
  },
};

/** The steps up to the one during which the user asked for the end. */
async function* untilInterrupted(
  steps: AsyncIterable<PreprocessStep>,
  { signal }: Interruption,
): AsyncGenerator<PreprocessStep, void> {
  for await (const step of steps) {
    yield step;
    if (signal.aborted) return;
  }
}
