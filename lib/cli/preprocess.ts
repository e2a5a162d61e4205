import type { CommandModule } from "yargs";
import { listCases } from "../data/case-store";
import { type PreprocessStep, preprocess as run } from "../data/preprocess";
import { findCases, list } from "../data/sources";
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
  /** Cases in the folder that are of none of the images, or of earlier states of failed ones: training would take them. */
  others: string[];
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
    const report: Report = { done: 0, current: 0, failed: 0, failures: [], warnings: [], others: [] };
    const usable = new Set(images.map(({ id }) => id));
    const stopped = await interruptible("this image", async (interruption) => {
      await underBar("preprocess", untilInterrupted(steps, interruption), (step) => {
        add(step, report);
        if (step.status === "failed") usable.delete(step.case);
        return step.case;
      });
      return interruption.exitCode;
    });
    if (!stopped) report.others = await casesBeside(usable, args.out);
    tell(report, args.out, images.length);
    if (args.json) printJson({ ...report, folder: args.out });
    process.exitCode = stopped || (report.failed > 0 ? 1 : 0);
  },
};

/** A folder that holds no case at all, since every image failed, may not exist. */
async function casesBeside(ids: ReadonlySet<string>, folder: string): Promise<string[]> {
  return (await listCases(folder).catch(() => [])).filter((id) => !ids.has(id));
}

function add(step: PreprocessStep, report: Report): void {
  report[step.status]++;
  report.warnings.push(...step.warnings);
  if (step.error)
    report.failures.push({ path: step.path, code: step.error.code, message: step.error.message });
}

function tell(report: Report, folder: string, images: number): void {
  const { done, current, failed, failures, warnings, others } = report;
  for (const w of warnings) log(`warning: ${w}`);
  for (const f of failures) log(`failed: ${f.message} [${f.code}]`);
  log(`${done} made, ${current} up to date, ${failed} failed; cases are in ${folder}`);
  if (others.length > 0)
    log(`note: ${folder} also holds ${others.length} cases of other or earlier images: ${list(others)}`);
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
