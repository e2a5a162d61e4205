/**
 * The experiment file of a comparison: methods × data sets × seeds × folds, each method as what it changes in one common
 * pre-training and fine-tuning plan. Paths count from the file's folder.
 */
import { resolve } from "node:path";
import { z } from "zod";
import { isRecord, shown } from "../arguments";
import { readTextFile } from "../files";
import { JsonError, parseJson } from "../json";
import { failPlan, MAX_PLAN_BYTES } from "./completion";
import { list, oneOf, text, whole } from "./fields";
import type { FinetunePlanInput } from "./finetune-schema";
import { closest, sentences } from "./messages";
import { METHOD_GROUPS, METHODS, type Method } from "./methods";
import { PRESETS, type PresetName } from "./presets";
import type { PlanInput } from "./schema";
import { object } from "./sections";

const SCANNERS = ["T1", "varied", "mixed"] as const;

/** Synthetic heads instead of data, made when the comparison runs. */
export interface PhantomSource {
  count: number;
  seed: number;
  first: number;
  edge: number;
  /** How the heads differ in contrast, shading and noise; "T1", not at all, without. */
  scanners?: (typeof SCANNERS)[number] | undefined;
  /** The first so many train, the others validate; without, five folds. */
  training?: number | undefined;
  /** Names of labels; all without. */
  keep?: string[] | undefined;
}

/** A folder, or heads to be made. */
export type DataSource = { path: string } | { phantoms: PhantomSource };

export interface ExperimentDataset {
  name: string;
  source: DataSource;
  /** Changes of the fine-tuning plan for this data set. */
  finetuning: FinetunePlanInput;
}

/** A checked experiment: groups of methods spelled out, paths absolute. */
export interface Experiment {
  name: string;
  /** Where both plans start. */
  preset: PresetName;
  seeds: number[];
  folds: number[];
  /** Undefined where no method pre-trains. */
  pretraining?: { source: DataSource; seed: number | "each"; plan: PlanInput } | undefined;
  finetuning: FinetunePlanInput;
  datasets: ExperimentDataset[];
  methods: Method[];
}

const part = (what: string) =>
  z.record(z.string(), z.unknown(), { error: `must be an object with fields of a ${what} plan` }).optional();

const phantoms = object({
  /** Number of heads. */
  count: whole(1, 1000),
  seed: whole(0, Number.MAX_SAFE_INTEGER).default(0),
  /** Number of the first one: sets of one seed whose numbers differ share no head. */
  first: whole(0, 1e6).default(0),
  /** Voxels along each axis. */
  edge: whole(8, 256).default(96),
  scanners: oneOf(...SCANNERS).optional(),
  training: whole(1, 999).optional(),
  keep: list(text(100), 1, 10, "label names").optional(),
}).optional();

const source = { data: text(4096).optional(), phantoms };

const method = object({
  name: text(100),
  /** false: none; an object: changes of the common plan; a text: a run or checkpoint that exists. */
  pretraining: z
    .union([z.literal(false), text(4096), z.record(z.string(), z.unknown())], {
      error: "must be false, the path of a run, or an object with fields of a pre-training plan",
    })
    .optional(),
  finetuning: part("fine-tuning"),
});

const schema = object({
  name: text(100),
  preset: oneOf(...(Object.keys(PRESETS) as [PresetName, ...PresetName[]])).default("s3d"),
  /** Every method is fine-tuned with each. */
  seeds: list(whole(0, Number.MAX_SAFE_INTEGER), 1, 100, "seeds"),
  /** Folds of each data set; their validation cases are pooled. */
  folds: list(whole(0, 999), 1, 100, "folds").default([0]),
  pretraining: object({
    ...source,
    /** "each": pre-training is repeated with every seed; a number: one pre-training serves all seeds. */
    seed: z
      .union([whole(0, Number.MAX_SAFE_INTEGER), z.literal("each")], {
        error: 'must be a whole number or "each"',
      })
      .default("each"),
    plan: part("pre-training"),
  }).optional(),
  finetuning: object({ plan: part("fine-tuning") }).optional(),
  datasets: list(
    object({ name: text(100), ...source, finetuning: part("fine-tuning") }),
    1,
    100,
    "data sets",
  ),
  /** Names known by heart, or objects. */
  methods: list(z.unknown(), 1, 200, "methods"),
});

type Written = z.infer<typeof schema>;
type WrittenMethod = z.infer<typeof method>;

/** Reads an experiment file. @throws PlanError with one sentence for each fault */
export async function readExperiment(path: string): Promise<Experiment> {
  const content = await readTextFile(path, MAX_PLAN_BYTES);
  let value: unknown;
  try {
    value = parseJson(content);
  } catch (error) {
    if (error instanceof JsonError)
      failPlan(`Experiment ${path}`, [`The file cannot be read: ${error.message}.`]);
    throw error;
  }
  return parseExperiment(value, resolve(path, ".."), `Experiment ${path}`);
}

/** Checks an experiment; its paths count from `folder`. */
export function parseExperiment(value: unknown, folder: string, origin = "Experiment"): Experiment {
  const result = schema.safeParse(value);
  if (!result.success) failPlan(origin, sentences(result.error, schema, value, "experiment"));
  const written = result.data;
  const faults: string[] = [];
  const listed = written.methods.flatMap((entry, i) => methodsOf(entry, i, folder, faults));
  const methods = [...new Set(listed)]; // two groups may hold the same method
  faults.push(
    ...repeated("methods", methods),
    ...repeated("datasets", written.datasets),
    ...repeated("seeds", written.seeds.map(named)),
    ...repeated("folds", written.folds.map(named)),
  );
  const sources = [
    ...written.datasets.map((d, i) => [`datasets[${i}]`, d] as const),
    ...(written.pretraining ? [["pretraining", written.pretraining] as const] : []),
  ];
  for (const [path, { data, phantoms }] of sources)
    if ((data === undefined) === (phantoms === undefined))
      faults.push(`${path} must have either data or phantoms, found ${data ? "both" : "neither"}.`);
  const training = methods.find(({ pretraining }) => typeof pretraining === "object" && pretraining !== null);
  if (training && !written.pretraining)
    faults.push(`pretraining is missing; method ${shown(training.name)} needs its data.`);
  if (faults.length > 0) failPlan(origin, faults);
  return assemble(written, methods, folder);
}

function assemble(written: Written, methods: Method[], folder: string): Experiment {
  const { name, preset, seeds, folds, pretraining, finetuning, datasets } = written;
  return {
    ...{ name, preset, seeds, folds, methods },
    finetuning: (finetuning?.plan ?? {}) as FinetunePlanInput,
    pretraining: pretraining && {
      source: sourceOf(pretraining, folder),
      seed: pretraining.seed,
      plan: (pretraining.plan ?? {}) as PlanInput,
    },
    datasets: datasets.map((d) => ({
      name: d.name,
      source: sourceOf(d, folder),
      finetuning: (d.finetuning ?? {}) as FinetunePlanInput,
    })),
  };
}

function sourceOf(
  { data, phantoms }: Pick<Written["datasets"][number], "data" | "phantoms">,
  folder: string,
) {
  return phantoms ? { phantoms } : { path: resolve(folder, data!) };
}

function named(value: number | string): { name: string } {
  return { name: String(value) };
}

/** The methods that one entry of the list means; adds what is wrong with it to `faults`. */
function methodsOf(entry: unknown, i: number, folder: string, faults: string[]): Method[] {
  const path = `methods[${i}]`;
  if (typeof entry === "string") {
    const names = METHOD_GROUPS.get(entry) ?? [entry];
    const found = names.map((name) => METHODS.get(name));
    if (found.every((m) => m !== undefined)) return found;
    const known = [...METHODS.keys(), ...METHOD_GROUPS.keys()];
    const near = closest(entry, known);
    const hint = near === undefined ? "" : `did you mean ${near}? `;
    faults.push(`${path} is ${shown(entry)}, which is no known method; ${hint}known: ${known.join(", ")}.`);
    return [];
  }
  const result = method.safeParse(entry);
  if (result.success) return [methodOf(result.data, folder)];
  if (!isRecord(entry))
    faults.push(`${path} must be the name of a method or an object, found ${shown(entry)}.`);
  else faults.push(...sentences(result.error, method, entry, "method").map((s) => `${path}: ${s}`));
  return [];
}

function methodOf({ name, pretraining = {}, finetuning = {} }: WrittenMethod, folder: string): Method {
  const before = pretraining === false ? null : pretraining;
  const fresh = before === null ? { transfer: "none" as const } : {};
  return {
    name,
    pretraining: typeof before === "string" ? resolve(folder, before) : (before as PlanInput | null),
    finetuning: { ...fresh, ...(finetuning as FinetunePlanInput) },
  };
}

function repeated(what: string, entries: readonly { name: string }[]): string[] {
  const names = entries.map(({ name }) => name.toLowerCase());
  const twice = [...new Set(names.filter((name, i) => names.indexOf(name) !== i))];
  return twice.map((name) => `${what} must differ, found ${shown(name)} more than once.`);
}
