/**
 * The fine-tuning plan: one typed, immutable, complete description of a run. A plan file alone, with the data and the
 * pre-trained weights, reproduces a run; whatever a user leaves out is filled from a preset and written out.
 */
import { outputChannels, schemeFaults } from "../labels";
import { PlanCompleter } from "./completion";
import { FINETUNE_PRESETS, PEAK_RATES } from "./finetune-presets";
import { type FinetunePlan, type FinetunePlanInput, finetunePlanSchema } from "./finetune-schema";
import { scheduleSteps } from "./finetune-stages";
import type { PresetName } from "./presets";
import { brokenShape, eachOnce, nesterov, patchSize, precision } from "./rules";
import type { Plan } from "./schema";

export { diffPlans, planToJson } from "./completion";
export { type FinetunePlan, type FinetunePlanInput, SCHEDULES, type ScheduleKind } from "./finetune-schema";
export { finetuneStages, type ParameterGroup, type TuningStage } from "./finetune-stages";

const completer = new PlanCompleter<FinetunePlan, FinetunePlanInput, PresetName>({
  schema: finetunePlanSchema,
  presets: FINETUNE_PRESETS,
  rules,
  derive,
  whole: new Set(["labels"]),
  operational: /^(name|device|cudaGraph|loader\.\w+|checkpoint\.\w+|prediction\.\w+)$/,
});

/**
 * A complete plan from any part of one that has `channels` and `labels`: unknown keys, wrong values and broken rules
 * throw a PlanError with one sentence each. What is not stated follows from what is: the network's channels from
 * `channels` and `labels`; the schedule from `transfer`, "from-scratch" where nothing is transferred; its peak rate from
 * its kind.
 */
export function createFinetunePlan(
  input: unknown,
  preset: PresetName = "s3d",
  source = "Plan",
): FinetunePlan {
  return completer.create(input, preset, source);
}

/** The fields that a plan file states, each checked on its own. */
export function readFinetuneInput(path: string): Promise<FinetunePlanInput> {
  return completer.read(path);
}

/** `base` with the fields that `over` states replaced. */
export function mergeFinetuneInputs(base: FinetunePlanInput, over: FinetunePlanInput): FinetunePlanInput {
  return completer.merged(base, over);
}

/** `plan` with some fields replaced; checked again as a whole. */
export function overrideFinetunePlan(
  plan: FinetunePlan,
  overrides: FinetunePlanInput,
  source = "Plan",
): FinetunePlan {
  return completer.override(plan, overrides, source);
}

/** The plan in a JSON text, e.g. the one inside a checkpoint: complete, nothing is filled in. */
export function finetunePlanFromJson(value: unknown, source = "Plan"): FinetunePlan {
  return completer.fromJson(value, source);
}

/** The plan to go on with; throws a PlanError listing the fields if `wanted` would change the numbers. */
export function resumeFinetunePlan(saved: FinetunePlan, wanted: FinetunePlan): FinetunePlan {
  return completer.resume(saved, wanted);
}

/** What fine-tuning takes over from the plan of its pre-trained network (method.md §7.1). */
export function inputFromPretraining(
  plan: Pick<Plan, "network" | "patch" | "winograd" | "fusion" | "preprocessing">,
) {
  const { network, patch, winograd, fusion, preprocessing } = plan;
  const { inChannels: _, outChannels: __, ...architecture } = network;
  return { network: architecture, patch, winograd, fusion, preprocessing } satisfies FinetunePlanInput;
}

function derive(input: FinetunePlanInput, preset: PresetName): FinetunePlanInput {
  const { channels, labels, transfer = "encoder+decoder" } = input;
  const kind = input.schedule?.kind ?? (transfer === "none" ? "from-scratch" : "two-stage-warmup");
  const rates = PEAK_RATES[preset];
  return {
    transfer,
    network: {
      ...(channels ? { inChannels: channels.length } : {}),
      ...(labels?.labels ? { outChannels: outputChannels(labels) } : {}),
    },
    schedule: { kind, learningRate: kind === "from-scratch" ? rates.fresh : rates.transferred },
  };
}

function rules(plan: FinetunePlan): string[] {
  const shape = brokenShape(plan);
  if (shape.length > 0) return shape;
  const faults = schemeFaults(plan.labels).map((fault) => `labels: ${fault}.`);
  if (faults.length > 0) return faults;
  return [
    ...precision(plan),
    ...patchSize(plan),
    ...channelCounts(plan),
    ...scheduleRules(plan),
    ...nesterov(plan),
    ...eachOnce("prediction.mirroring", plan.prediction.mirroring),
  ];
}

function channelCounts({ network, channels, labels }: FinetunePlan): string[] {
  const wanted = {
    inChannels: [channels.length, "one a name in channels"],
    outChannels: [outputChannels(labels), "one a class or region of labels"],
  } as const;
  return Object.entries(wanted)
    .filter(([key, [count]]) => network[key as keyof typeof wanted] !== count)
    .map(
      ([key, [count, why]]) =>
        `network.${key} must be ${count}, ${why}, found ${network[key as keyof typeof wanted]}.`,
    );
}

function scheduleRules(plan: FinetunePlan): string[] {
  const { schedule, transfer, steps } = plan;
  const broken: string[] = [];
  const freezes = ["two-stage-warmup", "sawtooth", "frozen-encoder"].includes(schedule.kind);
  if (freezes && transfer === "none") {
    broken.push(
      `schedule.kind must be "from-scratch", "warmup" or "no-warmup" where transfer is "none", since a new encoder ` +
        `must not be frozen, found ${JSON.stringify(schedule.kind)}.`,
    );
  }
  const before = scheduleSteps(plan).slice(0, -1);
  const total = before.reduce((a, b) => a + b, 0);
  if (total >= steps) {
    broken.push(
      `steps must exceed the ${total} of the schedule's first stages (${before.join(" + ")}), found ${steps}.`,
    );
  }
  return broken;
}
