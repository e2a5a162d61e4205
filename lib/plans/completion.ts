/**
 * What every kind of plan does in the same way: checking, filling in from a preset, reading from a file, comparing with
 * the plan of the run that is resumed. A kind says what its fields, presets and rules are.
 */
import type { z } from "zod";
import { isRecord, shown } from "../arguments";
import { PlanError } from "../errors";
import { readTextFile } from "../files";
import { JsonError, parseJson } from "../json";
import { partially } from "./fields";
import { sentences } from "./messages";

/** Largest plan file read. */
export const MAX_PLAN_BYTES = 16 * 2 ** 20;

export interface PlanKind<P, I, Name extends string> {
  schema: z.ZodObject;
  /** What the fields that an input leaves out are taken from. */
  presets: Readonly<Record<Name, object>>;
  /** Every rule between fields that a plan breaks, as one sentence each. */
  rules: (plan: P) => string[];
  /** Defaults that follow from other fields of the input, laid between preset and input. */
  derive?: (input: I, preset: Name) => object;
  /** Fields that are taken as a whole, though they are objects. */
  whole?: ReadonlySet<string>;
  /** Paths of the fields that a resumed run may change: none of them has a say in the numbers computed. */
  operational: RegExp;
}

export interface PlanDifference {
  /** JSON path, e.g. "mask.ratio". */
  path: string;
  before: unknown;
  after: unknown;
}

export class PlanCompleter<P extends object, I extends object, Name extends string> {
  private readonly inputSchema: z.ZodObject;

  constructor(private readonly kind: PlanKind<P, I, Name>) {
    this.inputSchema = partially(kind.schema);
    deepFreeze(kind.presets); // plans share their parts
  }

  /** A complete plan from any part of one. */
  create(input: unknown, preset: Name, source: string): P {
    const given = this.check(input, source);
    return this.complete(this.merge(this.defaults(preset, given), given), source);
  }

  /** `plan` with some fields replaced; checked again as a whole. */
  override(plan: P, overrides: I, source: string): P {
    return this.complete(this.merge(plan, this.check(overrides, source)), source);
  }

  /** The fields that a plan file states. */
  async read(path: string): Promise<I> {
    const source = `Plan ${path}`;
    return this.check(parsePlan(await readTextFile(path, MAX_PLAN_BYTES), source), source);
  }

  /** Reads a plan file; `overrides` win over it, the preset fills in. */
  async fromFile(path: string, preset: Name, overrides: I): Promise<P> {
    const input = this.merged(await this.read(path), this.check(overrides, "Plan options"));
    return this.complete(this.merge(this.defaults(preset, input), input), `Plan ${path}`);
  }

  /** A plan that was written: complete, nothing is filled in. */
  fromJson(value: unknown, source: string): P {
    return this.complete(value, source);
  }

  /** The plan to go on with; throws a PlanError listing the fields if `wanted` would change the numbers. */
  resume(saved: P, wanted: P): P {
    const changed = diffPlans(saved, wanted).filter(({ path }) => !this.kind.operational.test(path));
    if (changed.length === 0) return wanted;
    const lines = changed.map((d) => `${d.path} was ${shown(d.before)}, is now ${shown(d.after)}.`);
    failPlan("A resumed run must keep the plan it was started with", [
      ...lines,
      "Resume without these changes, or start a new run.",
    ]);
  }

  /** `base` with the fields that `over` states replaced. */
  merged(base: I, over: I): I {
    return this.merge(base, over) as I;
  }

  private check(input: unknown, source: string): I {
    const result = this.inputSchema.safeParse(input);
    if (!result.success) failPlan(source, sentences(result.error, this.inputSchema, input));
    return result.data as I;
  }

  private complete(value: unknown, source: string): P {
    const result = this.kind.schema.safeParse(value);
    if (!result.success) failPlan(source, sentences(result.error, this.kind.schema, value));
    const plan = result.data as P;
    const broken = this.kind.rules(plan);
    if (broken.length > 0) failPlan(source, broken);
    return deepFreeze(plan) as P;
  }

  private defaults(preset: Name, input: I): object {
    const { presets, derive } = this.kind;
    if (!Object.hasOwn(presets, preset)) {
      const names = Object.keys(presets).join(", ");
      failPlan("Preset", [`There is no preset ${shown(preset)}; allowed: ${names}.`]);
    }
    const base = presets[preset];
    return derive ? (this.merge(base, derive(input, preset)) as object) : base;
  }

  /** `over` laid upon `base`: objects field by field, lists and values as a whole. */
  private merge(base: unknown, over: unknown): unknown {
    if (over === undefined) return base;
    if (!isRecord(base) || !isRecord(over)) return over;
    const keys = new Set([...Object.keys(base), ...Object.keys(over)]);
    const field = (key: string) =>
      this.kind.whole?.has(key) ? (over[key] ?? base[key]) : this.merge(base[key], over[key]);
    return Object.fromEntries([...keys].map((key) => [key, field(key)]));
  }
}

/** Every leaf field in which two plans differ. */
export function diffPlans(before: object, after: object): PlanDifference[] {
  return diff(before, after, "");
}

/** Every field written out, two spaces deep, newline at the end. */
export function planToJson(plan: object): string {
  return `${JSON.stringify(plan, null, 2)}\n`;
}

/** @throws PlanError that lists the problems */
export function failPlan(source: string, problems: string[]): never {
  const told = problems.slice(0, 20);
  if (problems.length > told.length) told.push(`... and ${problems.length - told.length} more.`);
  const separator = told.length === 1 ? " " : "\n  ";
  throw new PlanError("ERR_VOXELSPARK_PLAN", `${source}:${separator}${told.join(separator)}`);
}

function parsePlan(text: string, source: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof JsonError) failPlan(source, [`The file cannot be read: ${error.message}.`]);
    throw error;
  }
}

function diff(before: unknown, after: unknown, path: string): PlanDifference[] {
  if (isRecord(before) && isRecord(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) => diff(before[key], after[key], path === "" ? key : `${path}.${key}`));
  }
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path, before, after }];
}

function deepFreeze(value: unknown): unknown {
  if (typeof value === "object" && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
