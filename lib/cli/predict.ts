import { join } from "node:path";
import type { CommandModule, Options } from "yargs";
import { findChannelCases } from "../data/channel-files";
import type { Precision } from "../device";
import { loadSegmenter } from "../runs/load-segmenter";
import { type PredictionEvent, runPrediction } from "../runs/prediction";
import { interruptible } from "./interruption";
import {
  type ComputeArgs,
  chooseDevice,
  computeOptions,
  geometryOption,
  nonFiniteOption,
  precisionOption,
  type ReadingArgs,
} from "./options";
import { duration, log, type Progress, printJson, progress, UsageError } from "./output";

interface Args extends ComputeArgs, ReadingArgs {
  input: string[];
  output: string;
  model: string[];
  folds?: string[] | undefined;
  checkpoint: "final" | "best";
  precision?: Precision | undefined;
  disableTta?: boolean | undefined;
  stepSize?: number | undefined;
  saveProbabilities?: boolean | undefined;
  continuePrediction?: boolean | undefined;
}

type LoadedSegmenter = Awaited<ReturnType<typeof loadSegmenter>>;

interface Report {
  done: number;
  current: number;
  failed: number;
  failures: { case: string; code: string; message: string }[];
  warnings: string[];
  reason: "finished" | "interrupted";
}

const OPTIONS = {
  input: {
    alias: "i",
    type: "string",
    array: true,
    demandOption: true,
    describe: "Folder or files: <case>_0000.nii.gz, _0001 …, one a channel",
  },
  output: {
    alias: ["o", "out"],
    type: "string",
    demandOption: true,
    describe: "Folder for <case>.nii.gz",
  },
  model: {
    alias: "m",
    type: "string",
    array: true,
    demandOption: true,
    describe: "Run folder or checkpoint of finetune; several are an ensemble",
  },
  folds: {
    alias: "f",
    type: "string",
    array: true,
    describe: "Takes fold_<n>/ of each --model: 0 1 2 3 4, or all",
  },
  checkpoint: {
    alias: "chk",
    choices: ["final", "best"] as const,
    default: "final" as const,
    describe: "After the last step, or best in validation",
  },
  precision: precisionOption,
  "non-finite": nonFiniteOption,
  geometry: geometryOption,
  "disable-tta": {
    alias: "disable_tta",
    type: "boolean",
    describe: "No mirroring: up to 8 times faster, a little less accurate",
  },
  "step-size": {
    alias: "step_size",
    type: "number",
    describe: "Distance of windows as a share of the patch (default: the plan's, 0.5)",
  },
  "save-probabilities": {
    alias: "save_probabilities",
    type: "boolean",
    describe: "Also write <case>.npy: float32 (class, z, y, x)",
  },
  "continue-prediction": {
    alias: ["continue_prediction", "c"],
    type: "boolean",
    describe: "Leave cases alone that are there already",
  },
} satisfies Record<string, Options>;

export const predict: CommandModule<object, Args> = {
  command: "predict",
  describe: "Segment images with a fine-tuned network, or an ensemble of folds",
  builder: (yargs) => computeOptions(yargs).options(OPTIONS) as never,
  handler: async (args) => {
    const { stepSize } = args;
    if (stepSize !== undefined && !(stepSize > 0 && stepSize <= 1))
      throw new UsageError(`--step-size is ${stepSize}, allowed are numbers above 0 up to 1`);
    const device = chooseDevice(args);
    const models: LoadedSegmenter[] = [];
    for (const path of modelPaths(args))
      models.push(await loadSegmenter(path, device, args.checkpoint, args.precision));
    const cases = await findChannelCases(args.input, models[0]!.plan.channels);
    log(
      `${cases.length} cases, ${models.length === 1 ? "one model" : `an ensemble of ${models.length} models`}`,
    );
    const began = performance.now();
    await interruptible("this window", async (interruption) => {
      const events = runPrediction({
        models,
        cases,
        out: args.output,
        device,
        step: stepSize,
        mirroring: args.disableTta ? [] : undefined,
        saveProbabilities: args.saveProbabilities,
        skipFinished: args.continuePrediction,
        geometry: args.geometry,
        nonFinite: args.nonFinite,
        signal: interruption.signal,
      });
      const report = await watch(events, cases.length);
      const seconds = (performance.now() - began) / 1000;
      tell(report, args.output, cases.length, seconds);
      if (args.json) printJson({ ...report, seconds, folder: args.output });
      if (report.failed > 0) process.exitCode = 1;
      if (report.reason === "interrupted") process.exitCode = interruption.exitCode;
    });
  },
};

function modelPaths({ model, folds }: Args): string[] {
  if (!folds) return model;
  const wrong = folds.filter((fold) => !/^(\d+|all)$/.test(fold));
  if (wrong.length > 0) throw new UsageError(`--folds is '${wrong[0]}', allowed are whole numbers and all`);
  return model.flatMap((path) => folds.map((fold) => join(path, `fold_${fold}`)));
}

/** Shows the events under a bar of cases and sums them up. */
async function watch(events: AsyncIterable<PredictionEvent>, total: number): Promise<Report> {
  const report: Report = { done: 0, current: 0, failed: 0, failures: [], warnings: [], reason: "finished" };
  let bar: Progress | undefined;
  let done = 0;
  try {
    for await (const event of events) {
      bar ??= progress("predict", total);
      if (event.type === "window") {
        const part = done + event.done / event.total; // hundredths of a case, so that a single one has a bar, too
        bar.update(Math.round(100 * part) / 100, `${event.case}: window ${event.done}/${event.total}`);
      }
      if (event.type === "end") report.reason = event.reason;
      if (event.type === "case") {
        done = event.done;
        add(event, report);
        bar.update(done, `${event.case} ${event.status}, ${duration(event.seconds)}`);
      }
    }
  } finally {
    bar?.stop();
  }
  return report;
}

function add(event: PredictionEvent & { type: "case" }, report: Report): void {
  report[event.status]++;
  report.warnings.push(...event.warnings);
  if (event.error)
    report.failures.push({ case: event.case, code: event.error.code, message: event.error.message });
}

function tell(report: Report, folder: string, cases: number, seconds: number): void {
  const { done, current, failed } = report;
  for (const w of report.warnings) log(`warning: ${w}`);
  for (const f of report.failures) log(`failed: ${f.case}: ${f.message} [${f.code}]`);
  log(
    `${done} predicted in ${duration(seconds)}, ${current} were there already, ${failed} failed; label maps are in ${folder}`,
  );
  const left = cases - done - current - failed;
  if (left > 0) log(`interrupted: ${left} cases are left to do`);
}
