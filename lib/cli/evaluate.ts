import { dirname, join } from "node:path";
import type { CommandModule, Options } from "yargs";
import { readDatasetJson } from "../data/dataset-json";
import { findCases } from "../data/sources";
import { evaluateFolders, type FolderOptions, optionsOf, regionNames } from "../evaluation/folders";
import { type MeanMetrics, type Summary, writeSummary } from "../evaluation/summary";
import { exists, requireWritable } from "../files";
import type { LabelScheme } from "../labels";
import { type CommonArgs, commonOptions, geometryOption, type ReadingArgs, useThreads } from "./options";
import { log, printJson, UsageError, underBar } from "./output";

interface Args extends CommonArgs {
  reference: string;
  prediction: string[];
  datasetJson?: string | undefined;
  labels?: string[] | undefined;
  nsd: number;
  output?: string | undefined;
  subset?: boolean | undefined;
  geometry?: ReadingArgs["geometry"];
}

const OPTIONS = {
  reference: {
    alias: ["r", "gt"],
    type: "string",
    demandOption: true,
    describe: "Folder of reference label maps, e.g. labelsTr",
  },
  prediction: {
    alias: "p",
    type: "string",
    array: true,
    demandOption: true,
    describe: "Folder of label maps, or run folders of finetune, one a fold: their cases are pooled",
  },
  "dataset-json": {
    alias: "djfile",
    type: "string",
    describe: "What the labels mean (default: dataset.json beside the reference folder)",
  },
  geometry: {
    ...geometryOption,
    describe: "Which affine of the label maps to trust (default: auto)",
  },
  labels: {
    alias: "l",
    type: "string",
    array: true,
    describe: "Evaluate these instead: a label each, 1,2 for a region",
  },
  nsd: {
    type: "number",
    default: 1,
    describe: "Tolerance of surface Dice in mm; 0 leaves it out",
  },
  output: {
    alias: "o",
    type: "string",
    describe: "File to write (default: summary.json in the prediction folder)",
  },
  subset: {
    alias: "chill",
    type: "boolean",
    describe: "Evaluate the predicted cases alone; otherwise every reference must have one",
  },
} satisfies Record<string, Options>;

export const evaluate: CommandModule<object, Args> = {
  command: "evaluate",
  describe: "Compare label maps with references: Dice, IoU, counts and surface Dice in summary.json",
  builder: (yargs) => commonOptions(yargs).options(OPTIONS) as never,
  handler: async (args) => {
    useThreads(args.threads);
    if (!(args.nsd >= 0)) throw new UsageError(`--nsd is ${args.nsd}, allowed are numbers of mm from 0`);
    if (args.prediction.length > 1 && !args.output)
      throw new UsageError("--output is needed where --prediction names several folders");
    const folders = await Promise.all(args.prediction.map(predictionFolder));
    const file = args.output ?? join(folders[0]!, "summary.json");
    await requireWritable(file);
    const { scheme, options } = await whatToEvaluate(args);
    const evaluation = evaluateFolders(folders, args.reference, {
      ...options,
      ...(args.nsd === 0 ? {} : { tolerance: args.nsd }),
      subset: args.subset ?? false,
      geometry: args.geometry,
    });
    const summary = await underBar("evaluate", evaluation, ({ id }) => id);
    await writeSummary(file, summary);
    tellSummary(summary, scheme);
    log(`wrote ${file}`);
    if (args.json) {
      const { foreground_mean, mean, metric_per_case } = summary;
      printJson({ cases: metric_per_case.length, foreground_mean, mean, summary: file });
    }
  },
};

/** Of a run the predictions of its validation cases. */
async function predictionFolder(path: string): Promise<string> {
  const validation = join(path, "validation");
  return (await exists(join(path, "plan.json"))) && (await exists(validation)) ? validation : path;
}

async function whatToEvaluate({
  labels,
  datasetJson,
  reference,
}: Args): Promise<{ scheme?: LabelScheme; options: FolderOptions }> {
  if (labels) return { options: { regions: labels.map(region) } };
  await findCases(reference); // a missing folder is no matter of dataset.json
  const beside = join(dirname(join(reference, ".")), "dataset.json");
  if (!datasetJson && !(await exists(beside)))
    throw new UsageError(`evaluate needs --dataset-json or --labels, since ${beside} does not exist`);
  const { labels: scheme } = await readDatasetJson(datasetJson ?? beside);
  return { scheme, options: optionsOf(scheme) };
}

/** "3", or "1,2" for a region. */
function region(text: string): number | number[] {
  const values = text.split(",").map(Number);
  if (text.trim() === "" || values.some((v) => !Number.isInteger(v) || v < 0 || v > 65535))
    throw new UsageError(
      `--labels has '${text}', allowed are whole numbers from 0 to 65535, 1,2 for a region`,
    );
  return values.length === 1 ? values[0]! : values;
}

/** A table of Dice, IoU and surface Dice, a row a class or region. */
export function tellSummary(
  { foreground_mean, mean, metric_per_case }: Summary,
  scheme: LabelScheme | undefined,
): void {
  // By key: JavaScript puts those that are numbers first, whatever the order of the regions.
  const names = scheme ? regionNames(scheme) : {};
  const rows: [string, MeanMetrics][] = Object.entries(mean).map(([key, metrics]) => [
    names[key] ? `${names[key]} (${key.replace(/[()]/g, "")})` : key,
    metrics,
  ]);
  rows.push([`mean of ${rows.length}`, foreground_mean]);
  const columns = ["Dice", "IoU", "NSD"].filter((name) => name in foreground_mean);
  const width = Math.max(...rows.map(([name]) => name.length));
  log(`${metric_per_case.length} cases`);
  log(`${" ".repeat(width)}${columns.map((name) => name.padStart(10)).join("")}`);
  for (const [name, metrics] of rows)
    log(name.padEnd(width) + columns.map((c) => (metrics[c]?.toFixed(4) ?? "none").padStart(10)).join(""));
}
