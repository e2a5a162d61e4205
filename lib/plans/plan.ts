/**
 * The pre-training plan: one typed, immutable, complete description of a run. A plan file alone, with the
 * data, reproduces a run; whatever a user leaves out is filled from a preset and written out.
 */
import { PlanError } from "../errors";
import { readTextFile } from "../files";
import { JsonError, parseJson } from "../json";
import { constant, perEpoch, poly, type Schedule, sequence, warmup } from "../optim/schedules";
import { partially } from "./fields";
import { sentences, show } from "./messages";
import { PRESETS, type PresetName } from "./presets";
import { brokenRules } from "./rules";
import { type Plan, type PlanInput, planSchema } from "./schema";

export { PRESETS, type PresetName } from "./presets";
export { cumulativeStrides } from "./rules";
export type { Plan, PlanInput } from "./schema";

/** Largest plan file read. */
export const MAX_PLAN_BYTES = 16 * 2 ** 20;

const UPSTREAM_EPOCH = 250; // steps, method.md §5
const inputSchema = partially(planSchema);
deepFreeze(PRESETS); // plans share their parts

/**
 * A complete plan from any part of one: unknown keys, wrong values and broken rules throw a PlanError with
 * one sentence each. `source` names the origin in messages, e.g. a file.
 */
export function createPlan(input: unknown = {}, preset: PresetName = "s3d", source = "Plan"): Plan {
  const given = check(input, source);
  return complete(merge(defaults(preset, given), given), source);
}

/** `plan` with some fields replaced, e.g. by command-line options; checked again as a whole. */
export function overridePlan(plan: Plan, overrides: PlanInput, source = "Plan"): Plan {
  return complete(merge(plan, check(overrides, source)), source);
}

/** Reads a plan file. Keys that it leaves out come from `preset`; `overrides` win over both. */
export async function planFromFile(
  path: string,
  options: { preset?: PresetName; overrides?: PlanInput } = {},
): Promise<Plan> {
  const source = `Plan ${path}`;
  const given = check(parsePlan(await readTextFile(path, MAX_PLAN_BYTES), source), source);
  const overrides = check(options.overrides ?? {}, "Plan options");
  const input = merge(given, overrides) as PlanInput;
  return complete(merge(defaults(options.preset ?? "s3d", input), input), source);
}

/** The plan in a JSON text, e.g. the one inside a checkpoint: complete, nothing is filled in. */
export function planFromJson(value: unknown, source = "Plan"): Plan {
  const result = planSchema.safeParse(value);
  if (!result.success) fail(source, sentences(result.error, planSchema, value));
  return complete(result.data, source);
}

/** Every field written out, two spaces deep, newline at the end. */
export function planToJson(plan: Plan): string {
  return `${JSON.stringify(plan, null, 2)}\n`;
}

export interface PlanDifference {
  /** JSON path, e.g. "mask.ratio". */
  path: string;
  before: unknown;
  after: unknown;
}

/** Fields that a resumed run may change: none of them has a say in the numbers computed. */
const OPERATIONAL = /^(name|device|loader\.\w+|checkpoint\.\w+)$/;

/** Every leaf field in which two plans differ. */
export function diffPlans(before: Plan, after: Plan): PlanDifference[] {
  return diff(before, after, "");
}

/** The plan to go on with; throws a PlanError listing the fields if `wanted` would change the numbers. */
export function resumePlan(saved: Plan, wanted: Plan): Plan {
  const changed = diffPlans(saved, wanted).filter(({ path }) => !OPERATIONAL.test(path));
  if (changed.length === 0) return wanted;
  const lines = changed.map((d) => `${d.path} was ${show(d.before)}, is now ${show(d.after)}.`);
  fail("A resumed run must keep the plan it was started with", [
    ...lines,
    "Resume without these changes, or start a new run.",
  ]);
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

function parsePlan(text: string, source: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof JsonError) fail(source, [`The file cannot be read: ${error.message}.`]);
    throw error;
  }
}

function check(input: unknown, source: string): PlanInput {
  const result = inputSchema.safeParse(input);
  if (!result.success) fail(source, sentences(result.error, inputSchema, input));
  return result.data as PlanInput;
}

function complete(merged: unknown, source: string): Plan {
  const plan = merged as Plan;
  const broken = brokenRules(plan);
  if (broken.length > 0) fail(source, broken);
  return deepFreeze(plan) as Plan;
}

function defaults(preset: PresetName, input: PlanInput): Plan {
  if (!Object.hasOwn(PRESETS, preset)) {
    const names = Object.keys(PRESETS).join(", ");
    fail("Preset", [`There is no preset ${show(preset)}; allowed: ${names}.`]);
  }
  const base = PRESETS[preset];
  if (input.upstreamParity !== true) return base;
  return { ...base, padding: "zero", mask: { ...base.mask, block: 16, coarse: "dense" } }; // see upstreamParity in schema.ts
}

/** `over` laid upon `base`: objects field by field, lists and values as a whole. */
function merge(base: unknown, over: unknown): unknown {
  if (over === undefined) return base;
  if (!isRecord(base) || !isRecord(over)) return over;
  const keys = new Set([...Object.keys(base), ...Object.keys(over)]);
  return Object.fromEntries([...keys].map((key) => [key, merge(base[key], over[key])]));
}

function diff(before: unknown, after: unknown, path: string): PlanDifference[] {
  if (isRecord(before) && isRecord(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) => diff(before[key], after[key], path === "" ? key : `${path}.${key}`));
  }
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path, before, after }];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function deepFreeze(value: unknown): unknown {
  if (typeof value === "object" && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}

function fail(source: string, problems: string[]): never {
  const shown = problems.slice(0, 20);
  if (problems.length > shown.length) shown.push(`... and ${problems.length - shown.length} more.`);
  const separator = shown.length === 1 ? " " : "\n  ";
  throw new PlanError("ERR_VOXELSPARK_PLAN", `${source}:${separator}${shown.join(separator)}`);
}
