/** Options of `finetune` that make its plan. */
import { join } from "node:path";
import type { Argv } from "yargs";
import { readDatasetJson } from "../data/dataset-json";
import { PlanError } from "../errors";
import { exists } from "../files";
import {
  createFinetunePlan,
  diffPlans,
  type FinetunePlan,
  type FinetunePlanInput,
  mergeFinetuneInputs,
  readFinetuneInput,
  SCHEDULES,
  type ScheduleKind,
} from "../plans/finetune";
import { inputFromWeights } from "../runs/pretrained";
import { given, overridesOf, type PlanArgs, planOptions, presetOf } from "./options";
import { UsageError } from "./output";

export interface FinetunePlanArgs extends PlanArgs {
  pretrained?: string | undefined;
  schedule?: ScheduleKind | undefined;
  transfer?: FinetunePlan["transfer"] | undefined;
  fold?: string | undefined;
}

export function finetunePlanOptions<T>(yargs: Argv<T>): Argv<T & FinetunePlanArgs> {
  return planOptions(yargs)
    .option("pretrained", {
      type: "string",
      normalize: true,
      describe:
        "Run folder, checkpoint or .safetensors file to start from; network, patch and spacing become its own",
    })
    .option("schedule", {
      choices: SCHEDULES,
      describe:
        "Learning rates and what trains when (default: two-stage-warmup; from-scratch without --pretrained)",
    })
    .option("transfer", {
      choices: ["encoder", "encoder+decoder"] as const,
      describe: "Weights taken from --pretrained (default: encoder+decoder)",
    })
    .option("fold", {
      type: "string",
      describe: 'Fold that validates, 0 to 4, or "all" to train on every case (default: 0)',
    }) as unknown as Argv<T & FinetunePlanArgs>;
}

/**
 * The plan that options, plan file, pre-trained network, data set and preset describe, the former winning. A resumed
 * run starts from its own plan.
 */
export async function finetunePlanOf(
  args: FinetunePlanArgs & { data: string; out: string; resume?: boolean | undefined },
): Promise<FinetunePlan> {
  const { schedule, transfer, pretrained } = args;
  const { channels, labels } = await readDatasetJson(join(args.data, "dataset.json"));
  const options = {
    ...overridesOf(args),
    ...given({ transfer, fold: foldOf(args.fold), schedule: given({ kind: schedule }) }),
  } as FinetunePlanInput;
  const own = join(args.out, "plan.json");
  const path = args.plan ?? (args.resume && (await exists(own)) ? own : undefined);
  const file = path === undefined ? {} : await readFinetuneInput(path);
  const start = pretrained === undefined ? {} : await inputFromWeights(pretrained);
  const fresh = pretrained === undefined && !args.resume && file.transfer === undefined;
  const input = [
    { channels, labels },
    fresh ? { transfer: "none" as const } : {},
    start,
    file,
    options,
  ].reduce((base, over) => mergeFinetuneInputs(base, over));
  const plan = createFinetunePlan(input, presetOf(args), path ? `Plan ${path}` : "Command line");
  requireSameData(plan, { channels, labels }, args.data);
  return plan;
}

function requireSameData(
  plan: FinetunePlan,
  data: Pick<FinetunePlan, "channels" | "labels">,
  folder: string,
): void {
  const differences = diffPlans({ channels: plan.channels, labels: plan.labels }, data);
  if (differences.length === 0) return;
  const lines = differences.map(
    ({ path, before, after }) =>
      `${path} is ${JSON.stringify(before)} in the plan, ${JSON.stringify(after)} in ${join(folder, "dataset.json")}`,
  );
  throw new PlanError("ERR_VOXELSPARK_PLAN", `The plan is of other data: ${lines.join("; ")}.`);
}

function foldOf(text: string | undefined): number | "all" | undefined {
  if (text === undefined || text === "all") return text;
  if (/^\d{1,3}$/.test(text)) return Number(text);
  throw new UsageError(`--fold is '${text}', allowed are a number from 0 and all`);
}
