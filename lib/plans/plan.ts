/**
 * The pre-training plan: one typed, immutable, complete description of a run. A plan file alone, with the
 * data, reproduces a run; whatever a user leaves out is filled from a preset and written out.
 */
import { constant, perEpoch, poly, type Schedule, sequence, warmup } from "../optim/schedules";
import { PlanCompleter } from "./completion";
import { PRESETS, type PresetName } from "./presets";
import { brokenRules } from "./rules";
import { type Plan, type PlanInput, planSchema } from "./schema";

export { diffPlans, MAX_PLAN_BYTES, type PlanDifference, planToJson } from "./completion";
export { PRESETS, type PresetName } from "./presets";
export { cumulativeStrides } from "./rules";
export type { Plan, PlanInput } from "./schema";

const UPSTREAM_EPOCH = 250; // steps, method.md §5

const completer = new PlanCompleter<Plan, PlanInput, PresetName>({
  schema: planSchema,
  presets: PRESETS,
  rules: brokenRules,
  derive: upstreamDefaults,
  operational: /^(name|device|cudaGraph|loader\.\w+|checkpoint\.\w+)$/,
});

/**
 * A complete plan from any part of one: unknown keys, wrong values and broken rules throw a PlanError with
 * one sentence each. `source` names the origin in messages, e.g. a file.
 */
export function createPlan(input: unknown = {}, preset: PresetName = "s3d", source = "Plan"): Plan {
  return completer.create(input, preset, source);
}

/** `plan` with some fields replaced, e.g. by command-line options; checked again as a whole. */
export function overridePlan(plan: Plan, overrides: PlanInput, source = "Plan"): Plan {
  return completer.override(plan, overrides, source);
}

/** `base` with the fields that `over` states replaced; neither is checked. */
export function mergePlanInputs(base: PlanInput, over: PlanInput): PlanInput {
  return completer.merged(base, over);
}

/** Reads a plan file. Keys that it leaves out come from `preset`; `overrides` win over both. */
export function planFromFile(
  path: string,
  options: { preset?: PresetName; overrides?: PlanInput } = {},
): Promise<Plan> {
  return completer.fromFile(path, options.preset ?? "s3d", options.overrides ?? {});
}

/** The plan in a JSON text, e.g. the one inside a checkpoint: complete, nothing is filled in. */
export function planFromJson(value: unknown, source = "Plan"): Plan {
  return completer.fromJson(value, source);
}

/** The plan to go on with; throws a PlanError listing the fields if `wanted` would change the numbers. */
export function resumePlan(saved: Plan, wanted: Plan): Plan {
  return completer.resume(saved, wanted);
}

/** Learning rate of each step of a plan: warm-up if any, then polynomial decay to 0 over the rest. */
export function learningRate(plan: Plan): Schedule {
  const { learningRate: peak, polyPower, warmupSteps } = plan.optimizer;
  const rest = plan.steps - warmupSteps;
  const decay = polyPower === 0 ? constant(peak) : poly(peak, rest, polyPower);
  const schedule =
    warmupSteps === 0
      ? decay
      : sequence([{ steps: warmupSteps, schedule: warmup(peak, warmupSteps) }, { schedule: decay }]);
  return plan.upstreamParity ? perEpoch(schedule, UPSTREAM_EPOCH) : schedule;
}

/** Number of validation subjects out of `subjects`: the plan's share within its bounds, at most half. */
export function validationSubjects(plan: Plan, subjects: number): number {
  const { fraction, minSubjects, maxSubjects } = plan.validation;
  const share = Math.min(maxSubjects, Math.max(minSubjects, Math.floor(subjects * fraction)));
  return Math.min(share, Math.floor(subjects / 2));
}

function upstreamDefaults(input: PlanInput): PlanInput {
  if (input.upstreamParity !== true) return {};
  return { padding: "zero", mask: { block: 16, coarse: "dense" } }; // see upstreamParity in schema.ts
}
