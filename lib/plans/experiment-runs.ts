/** The runs that an experiment means, each with a folder whose name follows from everything that its numbers depend on. */
import { join } from "node:path";
import { sha256 } from "../files";
import type { DataSource, Experiment, ExperimentDataset } from "./experiment";
import { inputFromPretraining, mergeFinetuneInputs } from "./finetune";
import type { FinetunePlanInput } from "./finetune-schema";
import type { Method } from "./methods";
import { createPlan, mergePlanInputs, type Plan } from "./plan";

/** One pre-training; methods and seeds that mean the same one share it. */
export interface PretrainingRun {
  /** Below the comparison's folder. */
  folder: string;
  plan: Plan;
  source: DataSource;
  /** Names of the methods that use it. */
  methods: string[];
}

/** One fine-tuning with its evaluation. */
export interface FinetuningRun {
  /** Below the comparison's folder. */
  folder: string;
  method: string;
  dataset: string;
  source: DataSource;
  seed: number;
  fold: number;
  preset: Experiment["preset"];
  /** Everything but what the data set's own dataset.json says. */
  input: FinetunePlanInput;
  /** Pre-trained weights: a run of this comparison, one from elsewhere, or none. */
  weights: PretrainingRun | string | undefined;
}

export interface ExperimentRuns {
  pretraining: PretrainingRun[];
  finetuning: FinetuningRun[];
}

/** All runs of an experiment: the pre-trainings, then the fine-tunings, a seed at a time. */
export function experimentRuns(experiment: Experiment, origin = "Experiment"): ExperimentRuns {
  const shared = new Map<string, PretrainingRun>();
  const finetuning: FinetuningRun[] = [];
  for (const seed of experiment.seeds)
    for (const dataset of experiment.datasets)
      for (const method of experiment.methods) {
        const weights = weightsOf(experiment, method, seed, shared, origin);
        for (const fold of experiment.folds)
          finetuning.push(finetuningRun(experiment, { method, dataset, seed, fold, weights }));
      }
  return { pretraining: [...shared.values()], finetuning };
}

function weightsOf(
  experiment: Experiment,
  { name, pretraining }: Method,
  seed: number,
  shared: Map<string, PretrainingRun>,
  origin: string,
): PretrainingRun | string | undefined {
  if (pretraining === null) return undefined;
  if (typeof pretraining === "string") return pretraining;
  const { source, plan: common, seed: fixed } = experiment.pretraining!;
  const input = mergePlanInputs(mergePlanInputs(common, pretraining), {
    name,
    seed: fixed === "each" ? seed : fixed,
  });
  const plan = createPlan(
    input,
    experiment.preset,
    `${origin}, pre-training of method ${JSON.stringify(name)}`,
  );
  const key = keyOf(computed(plan), source);
  const run = shared.get(key) ?? {
    folder: join("pretraining", `${slug(name)}-seed-${plan.seed}-${key}`),
    ...{ plan, source, methods: [] },
  };
  if (!run.methods.includes(name)) run.methods.push(name);
  shared.set(key, run);
  return run;
}

type Place = {
  method: Method;
  dataset: ExperimentDataset;
  seed: number;
  fold: number;
  weights: PretrainingRun | string | undefined;
};

function finetuningRun(experiment: Experiment, place: Place): FinetuningRun {
  const { method, dataset, seed, fold, weights } = place;
  const { preset, pretraining, finetuning } = experiment;
  // From scratch the network is the one that the others pre-train, lest two architectures be compared.
  const model =
    typeof weights === "object" ? weights.plan : createPlan(pretraining?.plan ?? {}, preset, "Pre-training");
  const inherited = typeof weights === "string" ? {} : inputFromPretraining(model);
  const parts = [
    finetuning,
    dataset.finetuning,
    method.finetuning,
    { name: `${method.name}, ${dataset.name}` },
  ];
  const input = [...parts, { seed, fold }].reduce(mergeFinetuneInputs, inherited as FinetunePlanInput);
  const { name: _, ...numbers } = input;
  const key = keyOf(numbers, dataset.source, typeof weights === "object" ? weights.folder : weights, preset);
  const folder = join(
    "finetuning",
    slug(dataset.name),
    `${slug(method.name)}-seed-${seed}-fold-${fold}-${key}`,
  );
  const { source } = dataset;
  return { folder, method: method.name, dataset: dataset.name, source, seed, fold, preset, input, weights };
}

/** The part of a plan that has a say in the numbers computed. */
function computed({ name: _, device: __, loader: ___, checkpoint: ____, ...plan }: Plan) {
  return plan;
}

/** A short name that changes with any of the parts. */
export function keyOf(...parts: unknown[]): string {
  return sha256(JSON.stringify(parts)).slice(0, 10);
}

/** Where the data of a source lies; synthetic heads are made below the comparison's folder. */
export function sourceFolder(source: DataSource): string | { made: string } {
  if ("path" in source) return source.path;
  return { made: join("data", `phantoms-${keyOf(source.phantoms)}`) };
}

/** A name as a part of a path: letters, digits and hyphens. */
export function slug(name: string): string {
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")
    .slice(0, 40);
  return plain || "method";
}
