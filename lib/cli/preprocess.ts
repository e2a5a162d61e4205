import type { CommandModule } from "yargs";
import { type PreprocessOptions, preprocess as run } from "../data/preprocess";
import { findCases } from "../data/sources";
import { preprocessing } from "../runs/cases";
import { setThreads } from "../tensor";
import { type ComputeArgs, computeOptions, type PlanArgs, planOf, planOptions } from "./options";
import { log, printJson, progress } from "./output";

interface Args extends ComputeArgs, PlanArgs {
  data: string;
  out: string;
  spacing?: number[] | undefined;
  nonFinite?: PreprocessOptions["nonFinite"] | undefined;
  geometry?: PreprocessOptions["geometry"] | undefined;
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
      })
      .option("spacing", {
        type: "number",
        array: true,
        describe: "Voxel size in mm: z y x (default: the plan's, 1 1 1)",
      })
      .option("non-finite", {
        choices: ["error", "zero"] as const,
        describe: "What NaN and infinite voxels do",
      })
      .option("geometry", {
        choices: ["auto", "sform", "qform"] as const,
        describe: "Which affine to trust",
      }) as never,
  handler: async (args) => {
    if (args.threads !== undefined) setThreads(args.threads);
    const images = await findCases(args.data);
    const options = { ...(await preprocessing(await planOf(args), images)), ...chosen(args) };
    const bar = progress("preprocess", images.length);
    const counts = { done: 0, current: 0, failed: 0 };
    const failures: { path: string; code: string; message: string }[] = [];
    const warnings: string[] = [];
    for await (const step of run(images, args.out, options, args.workers ?? 0)) {
      counts[step.status]++;
      warnings.push(...step.warnings);
      if (step.error) failures.push({ path: step.path, code: step.error.code, message: step.error.message });
      bar.update(step.done, step.case);
    }
    bar.stop();
    for (const w of warnings) log(`warning: ${w}`);
    for (const f of failures) log(`failed: ${f.message} [${f.code}]`);
    log(
      `${counts.done} made, ${counts.current} up to date, ${counts.failed} failed; cases are in ${args.out}`,
    );
    if (args.json) printJson({ ...counts, failures, warnings, folder: args.out });
    if (counts.failed > 0) process.exitCode = 1;
  },
};

/** Options given on the command line. */
function chosen({ spacing, nonFinite, geometry }: Args): Partial<PreprocessOptions> {
  return {
    ...(spacing ? { spacing: spacing as [number, number, number] } : {}),
    ...(nonFinite ? { nonFinite } : {}),
    ...(geometry ? { geometry } : {}),
  };
}
