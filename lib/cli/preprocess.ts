import type { CommandModule } from "yargs";
import { type PreprocessStep, preprocess as run } from "../data/preprocess";
import { findCases } from "../data/sources";
import { preprocessing } from "../runs/cases";
import { type Interruption, interruptible } from "./interruption";
import { type CommonArgs, commonOptions, type PlanArgs, planOf, planOptions, useThreads } from "./options";
import { log, printJson, underBar } from "./output";

interface Args extends CommonArgs, PlanArgs {
  data: string;
  out: string;
}

interface Report {
  done: number;
  current: number;
  failed: number;
  failures: { path: string; code: string; message: string }[];
  warnings: string[];
}

export const preprocess: CommandModule<object, Args> = {
  command: "preprocess",
  describe: "Crop, normalise and resample images into a case folder",
  builder: (yargs) =>
    planOptions(commonOptions(yargs))
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
    useThreads(args.threads);
    const plan = await planOf(args);
    const images = await findCases(args.data);
    const steps = run(images, args.out, await preprocessing(plan, images), args.workers ?? 0);
    const report: Report = { done: 0, current: 0, failed: 0, failures: [], warnings: [] };
    const stopped = await interruptible("this image", async (interruption) => {
      await underBar("preprocess", untilInterrupted(steps, interruption), (step) => {
        add(step, report);
        return step.case;
      });
      return interruption.exitCode;
    });
    tell(report, args.out, images.length);
    if (args.json) printJson({ ...report, folder: args.out });
    process.exitCode = stopped || (report.failed > 0 ? 1 : 0);
  },
};

function add(step: PreprocessStep, report: Report): void {
  report[step.status]++;
  report.warnings.push(...step.warnings);
  if (step.error)
    report.failures.push({ path: step.path, code: step.error.code, message: step.error.message });
}

function tell({ done, current, failed, failures, warnings }: Report, folder: string, images: number): void {
  for (const w of warnings) log(`warning: ${w}`);
  for (const f of failures) log(`failed: ${f.message} [${f.code}]`);
  log(`${done} made, ${current} up to date, ${failed} failed; cases are in ${folder}`);
  const left = images - done - current - failed;
  if (left > 0) log(`interrupted: ${left} images are left to do`);
}

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
